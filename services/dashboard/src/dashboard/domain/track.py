"""What was forecast at past cutoffs and what came of it, in prices; and which state the market was called to be in."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from cbi_common.core.horizon import Horizon
from cbi_common.core.regime import Regime


@dataclass(frozen=True)
class Track:
    """One row per cutoff of one horizon, oldest first; the last one is the live forecast.

    Attributes
    ----------
    cutoffs, targets : n days
    price, forecast, actual, lower, upper : n prices
        ``actual`` is NaN where the target day has not come, ``lower`` and ``upper`` where there was no band yet.
    """

    horizon: Horizon
    cutoffs: tuple[date, ...]
    targets: tuple[date, ...]
    price: tuple[float, ...]
    forecast: tuple[float, ...]
    actual: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]

    def matured(self, since: date) -> Iterator[int]:
        """Yield the rows whose outcome is known and whose target day is ``since`` or later."""
        for row, (target, actual) in enumerate(zip(self.targets, self.actual, strict=True)):
            if target >= since and math.isfinite(actual):
                yield row


Tracks = Mapping[Horizon, Track]


@dataclass(frozen=True)
class RegimeHistory:
    """The state that was called on each session, and with which probabilities.

    Attributes
    ----------
    days : n days, ascending
    states : n states
    chances : state to n probabilities
    """

    days: tuple[date, ...]
    states: tuple[Regime, ...]
    chances: Mapping[Regime, tuple[float, ...]]


@dataclass(frozen=True)
class Spell:
    """A time in one state, from its first day up to the first day of the next."""

    state: Regime
    first: date
    after: date


def spells(history: RegimeHistory, since: date) -> tuple[Spell, ...]:
    """Return the spells that end after ``since``; the first one is cut off there."""
    found: list[Spell] = []
    for day, state in zip(history.days, history.states, strict=True):
        if found and found[-1].state == state:
            found[-1] = Spell(state, found[-1].first, day)
            continue
        if found:
            found[-1] = Spell(found[-1].state, found[-1].first, day)
        found.append(Spell(state, day, day))
    return tuple(Spell(s.state, max(s.first, since), s.after) for s in found if s.after > since)
