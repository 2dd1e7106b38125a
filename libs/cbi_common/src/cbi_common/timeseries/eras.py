"""Eras: calendar periods that the owner weighs differently when a model is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Literal, assert_never

import numpy as np
from numpy.typing import NDArray

from cbi_common.core.errors import DataError
from cbi_common.timeseries.dataset import Floats, Ints

Days = NDArray[np.datetime64]

Scheme = Literal["uniform", "plan", "capped"]


@dataclass(frozen=True)
class Era:
    """A weighted calendar period, both ends included; ``None`` leaves an end open.

    The list of eras was drawn up in hindsight and is labelled so wherever it is reported (DOMAIN section 6).
    """

    name: str
    start: date | None
    end: date | None
    weight: float

    def __post_init__(self) -> None:
        if not self.weight > 0:
            raise ValueError(f"era {self.name} weighs {self.weight}, a weight must be positive")
        if self.start and self.end and self.start > self.end:
            raise ValueError(f"era {self.name} ends on {self.end}, before its start {self.start}")


def era_of(dates: Days, eras: Sequence[Era]) -> Ints:
    """Return the position in ``eras`` of each date's era, -1 for a date in none.

    Raises
    ------
    ValueError
        Where two eras share a day.
    """
    _require_disjoint(eras)
    found = np.full(len(dates), -1, dtype=np.int64)
    for i, era in enumerate(eras):
        inside = np.ones(len(dates), dtype=bool)
        if era.start is not None:
            inside &= dates >= np.datetime64(era.start)
        if era.end is not None:
            inside &= dates <= np.datetime64(era.end)
        found[inside] = i
    return found


def era_weights(dates: Days, eras: Sequence[Era], scheme: Scheme, *, cap: float = 0.40) -> Floats:
    """Return one training weight per row, with mean 1.

    A row weighs by the era of its own date, so the rows known at a refit can only carry eras that had begun by then.

    Parameters
    ----------
    dates : (n,) datetime64[D]
    eras : disjoint eras; for ``plan`` and ``capped`` together they cover every date
    scheme : {"uniform", "plan", "capped"}
        ``uniform`` weighs all rows alike, ``plan`` by the era's stated weight, ``capped`` like the plan with no era
        above ``cap`` of the total, or above its share of the rows where that is more (so that an era one day old is
        not made to outweigh all before it): eras above their limit are set to it and the rest share what is left in
        the plan's proportions, again and again until none is above.
    cap : float in (0, 1]

    Raises
    ------
    DataError
        For a date outside every era under ``plan`` or ``capped``.
    """
    if scheme == "uniform":
        return np.ones(len(dates))
    where = era_of(dates, eras)
    if (where < 0).any():
        raise DataError(f"{dates[where < 0][0]} belongs to no era", hint="let the market file's eras cover the data")
    plan = np.array([era.weight for era in eras], dtype=np.float64)
    rows = np.bincount(where, minlength=len(eras))
    if scheme == "plan":
        per_era = plan
    elif scheme == "capped":
        shares = _capped_shares(plan * rows, np.maximum(cap, rows / max(len(dates), 1)))
        per_era = np.divide(shares, rows, out=np.zeros_like(plan), where=rows > 0)
    else:
        assert_never(scheme)
    weights = per_era[where]
    return weights * (len(weights) / weights.sum()) if len(weights) else weights


def kish_effective_size(weights: Floats) -> float:
    """Return how many equally weighted rows carry as much information: (sum w)^2 / sum w^2 (Kish, 1965).

    >>> kish_effective_size(np.array([1.0, 1.0, 0.0, 0.0]))
    2.0
    """
    total = float(np.sum(weights * weights))
    return float(np.sum(weights)) ** 2 / total if total > 0 else 0.0


def _capped_shares(totals: Floats, limits: Floats) -> Floats:
    """Shares of the total, none above its limit; the limits sum to 1 at least."""
    held = np.zeros(len(totals), dtype=bool)
    shares = totals / max(float(totals.sum()), 1e-300)
    # Each round holds at least one more era at its limit, so there are at most as many rounds as eras.
    while (above := (shares > limits * (1 + 1e-12)) & ~held).any():
        held |= above
        free = np.where(held, 0.0, totals)
        left = 1.0 - float(limits[held].sum())
        shares = np.where(held, limits, free * (left / max(float(free.sum()), 1e-300)))
    return shares


def _require_disjoint(eras: Sequence[Era]) -> None:
    ordered = sorted(eras, key=lambda era: era.start or date.min)
    for earlier, later in pairwise(ordered):
        if earlier.end is None or later.start is None or earlier.end >= later.start:
            raise ValueError(f"eras {earlier.name} and {later.name} share a day")
