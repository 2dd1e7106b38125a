"""The time of the year, and what the same time of earlier years was like; dates are (n,) datetime64[D], ascending."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cbi_common.timeseries.expiry import day_of, next_expiry, rolled_on
from ingest.domain.kinds.windows import Floats, previous

Dates = NDArray[np.datetime64]

_DAYS_PER_YEAR = 365.25


def season_sin(dates: Dates, *, harmonic: int) -> Floats:
    """Return the sine of ``harmonic`` turns per year."""
    result: Floats = np.sin(harmonic * _angle(dates))
    return result


def season_cos(dates: Dates, *, harmonic: int) -> Floats:
    """Return the cosine of ``harmonic`` turns per year."""
    result: Floats = np.cos(harmonic * _angle(dates))
    return result


def time_of_year(dates: Dates, *, first: tuple[int, int], last: tuple[int, int]) -> Floats:
    """Return how much of a season has gone by, 0 to 1, and 0 outside it.

    Parameters
    ----------
    first, last : (month, day)
        A season may go over the turn of the year.
    """
    starts = day_of(dates, first, 0)
    starts = np.where(starts > dates, day_of(dates, first, -1), starts)
    ends = day_of(starts, last, 0)
    ends = np.where(ends < starts, day_of(starts, last, 1), ends)
    gone = (dates - starts + 1).astype(np.float64) / (ends - starts + 1).astype(np.float64)
    return np.where(dates <= ends, gone, 0.0)


def expiry_days(dates: Dates, *, months: tuple[int, ...], day: int) -> Floats:
    """Return the days until the front contract stops trading: ``day`` of the next of its delivery ``months``."""
    return (next_expiry(dates, months, day) - dates).astype(np.float64)


def roll_return(dates: Dates, x: Floats, *, months: tuple[int, ...], day: int, rolls: int) -> Floats:
    """Return the sum of log returns on the last ``rolls`` sessions on which the front contract changed.

    In a series that is not back-adjusted the return of such a session holds the step from the old contract to the new
    one: positive when later delivery is dearer. It is what can be known of the curve without its prices, and it holds
    the market's own move of those days too.
    """
    rolled = np.flatnonzero(rolled_on(dates, months, day))
    logs: Floats = np.log(x)
    steps = (logs - previous(logs, 1))[rolled]
    result = np.full(len(x), np.nan)
    done = np.searchsorted(rolled, np.arange(len(x)), side="right")
    for count in range(rolls, len(rolled) + 1):
        result[done == count] = steps[count - rolls : count].sum()
    return result


def season_return(dates: Dates, x: Floats, *, sessions: int, around: int, years: int) -> Floats:
    """Return the mean log return over the next ``sessions`` at this time of the year, in earlier years.

    Every earlier year counts alike, with the mean of what followed its days within ``around`` days of this date; at
    least ``years`` of them must be known. An outcome counts from the session on which it was known.
    """
    logs: Floats = np.log(x)
    outcome = np.full(len(x), np.nan)
    ahead = max(len(x) - sessions, 0)
    outcome[:ahead] = logs[len(x) - ahead :] - logs[:ahead]
    return _earlier_years(dates, outcome, matures=sessions, around=around, years=years)


def season_anomaly(dates: Dates, x: Floats, *, around: int, years: int) -> Floats:
    """Return the series less its mean at this time of the year in earlier years, of which ``years`` must be known."""
    return x - _earlier_years(dates, x, matures=0, around=around, years=years)


def _earlier_years(dates: Dates, x: Floats, *, matures: int, around: int, years: int) -> Floats:
    """Mean over earlier years of the mean of ``x`` around the same date; row ``j`` is known ``matures`` rows later."""
    known = np.concatenate([np.zeros(1), np.cumsum(~np.isnan(x))])
    sums = np.concatenate([np.zeros(1), np.cumsum(np.where(np.isnan(x), 0.0, x))])
    matured = np.maximum(np.arange(len(x)) - matures + 1, 0)
    total, found = np.zeros(len(x)), np.zeros(len(x))
    span = 0 if not len(dates) else int((dates[-1] - dates[0]).astype(np.int64) / _DAYS_PER_YEAR) + 1
    for back in range(1, span + 1):
        middle = dates - np.timedelta64(round(back * _DAYS_PER_YEAR), "D")
        start = np.searchsorted(dates, middle - np.timedelta64(around, "D"))
        end = np.minimum(np.searchsorted(dates, middle + np.timedelta64(around, "D"), side="right"), matured)
        count = known[end] - known[np.minimum(start, end)]
        mean = (sums[end] - sums[np.minimum(start, end)]) / np.maximum(count, 1)
        total += np.where(count > 0, mean, 0.0)
        found += count > 0
    return np.where(found >= years, total / np.maximum(found, 1), np.nan)


def _angle(dates: Dates) -> Floats:
    year = dates.astype("datetime64[Y]")
    day = (dates - year).astype(np.float64)
    length = ((year + 1).astype("datetime64[D]") - year.astype("datetime64[D]")).astype(np.float64)
    result: Floats = 2 * np.pi * day / length
    return result
