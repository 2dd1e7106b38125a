"""When the front contract stops trading and the next one takes its place; dates are (n,) datetime64[D], ascending."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Dates = NDArray[np.datetime64]


def next_expiry(dates: Dates, months: tuple[int, ...], day: int) -> Dates:
    """Return the next ``day`` of a delivery month after each date."""
    candidates = [day_of(dates, (month, day), years) for years in (0, 1) for month in sorted(months)]
    found: Dates = candidates[-1]
    for candidate in reversed(candidates[:-1]):
        found = np.where(candidate > dates, candidate, found)
    return found


def rolled_on(dates: Dates, months: tuple[int, ...], day: int) -> NDArray[np.bool_]:
    """Return (n,) whether a date is the first session of a new front contract."""
    expiry = next_expiry(dates, months, day)
    return np.concatenate([[False], expiry[1:] != expiry[:-1]])


def day_of(dates: Dates, month_day: tuple[int, int], years: int) -> Dates:
    month, day = month_day
    january: Dates = dates.astype("datetime64[Y]").astype("datetime64[M]")
    first: Dates = (january + np.timedelta64(12 * years + month - 1, "M")).astype("datetime64[D]")
    return first + np.timedelta64(day - 1, "D")
