"""From numbers and days to places on a chart, and which of them are written beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_LONG_YEARS = 3


class Tick(NamedTuple):
    """A value that is written beside an axis."""

    at: float
    label: str


@dataclass(frozen=True)
class Scale:
    """Linear map of ``[low, high]`` to ``[start, end]``."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the place of a value; all in the middle where there is one value only."""
        if self.high == self.low:
            return (self.start + self.end) / 2
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def extent(values: Iterable[float], *, room: float = 0.05, include: float | None = None) -> tuple[float, float]:
    """Return the range of finite values with some room above and below.

    >>> extent([1.0, float("nan"), 3.0], room=0.5)
    (0.0, 4.0)
    """
    known = [value for value in values if math.isfinite(value)]
    if include is not None:
        known.append(include)
    if not known:
        return 0.0, 1.0
    low, high = min(known), max(known)
    pad = (high - low) * room if high > low else abs(high) * room or 1.0
    return low - pad, high + pad


def number_ticks(low: float, high: float, about: int = 5) -> tuple[Tick, ...]:
    """Return round values in a range, each with as many digits as their step needs.

    >>> [tick.label for tick in number_ticks(41.2, 59.9)]
    ['45', '50', '55']
    """
    if high <= low:
        return (Tick(low, f"{low:g}"),)
    rough = (high - low) / about
    power = 10 ** math.floor(math.log10(rough))
    step = power * next(s for s in _STEPS if s * power >= rough * 0.999)
    digits = max(0, -math.floor(math.log10(step) + 1e-9)) + (round(step / power, 6) == 2.5)
    first = math.ceil(low / step - 1e-9)
    count = math.floor(high / step + 1e-9) - first
    return tuple(Tick((first + i) * step, f"{(first + i) * step:,.{digits}f}") for i in range(count + 1))


def day_ticks(first: date, last: date, about: int = 6) -> tuple[Tick, ...]:
    """Return days to write below a time axis: years over a long time, months over a short one.

    >>> [tick.label for tick in day_ticks(date(2023, 11, 2), date(2024, 6, 1), about=4)]
    ['Jan 2024', 'Mar', 'May']
    """
    months = (last.year - first.year) * 12 + last.month - first.month
    if months > _LONG_YEARS * 12:
        step = 12 * max(1, math.ceil(months / 12 / about))
    else:
        step = next(s for s in (1, 2, 3, 6, 12) if months / s <= about or s == 12)
    ticks: list[Tick] = []
    for index in range(first.year * 12, last.year * 12 + 12, step):
        day = date(index // 12, index % 12 + 1, 1)
        if first <= day <= last:
            plain = step < 12 and ticks and day.month != 1
            label = f"{day:%b}" if plain else f"{day:%Y}" if step >= 12 else f"{day:%b %Y}"
            ticks.append(Tick(float(day.toordinal()), label))
    return tuple(ticks)
