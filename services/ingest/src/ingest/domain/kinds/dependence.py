"""How returns depend on their own past and on other series."""

from __future__ import annotations

import numpy as np

from ingest.domain.kinds.moves import log_return
from ingest.domain.kinds.windows import Floats, covariance, deviation, divide, mean, previous


def correlation(x: Floats, y: Floats, *, window: int) -> Floats:
    """Return the correlation of daily log returns, NaN where one of them stands still."""
    left, right = _both(log_return(x, sessions=1), log_return(y, sessions=1))
    return divide(covariance(left, right, window), deviation(left, window) * deviation(right, window))


def beta(x: Floats, y: Floats, *, window: int) -> Floats:
    """Return the slope of the daily log returns of ``x`` on those of ``y``."""
    left, right = _both(log_return(x, sessions=1), log_return(y, sessions=1))
    return divide(covariance(left, right, window), deviation(right, window) ** 2)


def autocorrelation(x: Floats, *, window: int, lag: int) -> Floats:
    """Return the correlation of daily log returns with those ``lag`` sessions before."""
    moves = log_return(x, sessions=1)
    left, right = _both(moves, previous(moves, lag))
    return divide(covariance(left, right, window), deviation(left, window) * deviation(right, window))


def variance_ratio(x: Floats, *, sessions: int, window: int) -> Floats:
    """Return the variance of a return over ``sessions`` over that of as many daily ones (Lo and MacKinlay, 1988).

    Above 1 moves go on, below 1 they revert; drift is taken as zero. Longer returns overlap and lie within the window.
    """
    daily, longer = log_return(x, sessions=1), log_return(x, sessions=sessions)
    return divide(mean(longer * longer, window - sessions + 1), sessions * mean(daily * daily, window))


def _both(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    there = ~np.isnan(x) & ~np.isnan(y)
    return np.where(there, x, np.nan), np.where(there, y, np.nan)
