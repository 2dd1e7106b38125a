"""How good bands have been: coverage with its standard error, its worst year, and Winkler scores."""

from __future__ import annotations

from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray

from cbi_common.timeseries.dataset import Floats, Ints

LEAST_CUTOFFS = 12
"""Cutoffs whose targets lie in one calendar year, below which that year's coverage says nothing."""

NORMAL_90 = 1.6448536269514722
"""Standard deviations on either side that hold 90 % of a normal distribution."""

_WALKS = 400
_LOW = 0.05


def inside(lower: Floats, upper: Floats, actual: Floats) -> NDArray[np.bool_]:
    """Return which actual values lie in the band, ends included."""
    return np.asarray((lower <= actual) & (actual <= upper))


def winkler_losses(lower: Floats, upper: Floats, actual: Floats, alpha: float = 0.1) -> Floats:
    """Return the Winkler score row by row (see `cbi_common.timeseries.losses.winkler`)."""
    outside = np.maximum(lower - actual, 0.0) + np.maximum(actual - upper, 0.0)
    return np.asarray(upper - lower + 2.0 / alpha * outside)


def coverage_error(hits: NDArray[np.bool_], overlap: int) -> float | None:
    """Return the standard error of the coverage (Newey & West, 1987), None below two rows.

    Parameters
    ----------
    hits : (n,) bool
        In the order of time.
    overlap : int >= 1
        Rows that share an outcome's span; autocovariances count up to twice that lag, tapered.
    """
    n = len(hits)
    if n < 2:
        return None
    centred = hits - hits.mean()
    lags = min(2 * overlap, n - 1)
    taper = 1.0 - np.arange(lags + 1) / (lags + 1)
    covariances = np.array([centred[k:] @ centred[: n - k] / n for k in range(lags + 1)])
    variance = covariances[0] + 2.0 * float(taper[1:] @ covariances[1:])
    return sqrt(max(variance, 0.0) / n)


def worst_year(hits: NDArray[np.bool_], years: Ints) -> float | None:
    """Return the lowest coverage of a calendar year with at least `LEAST_CUTOFFS` rows, None without one."""
    found = [float(hits[years == year].mean()) for year in _counted(years)]
    return min(found, default=None)


def worst_year_by_chance(sessions: Ints, years: Ints, horizon_sessions: int, seed: int = 20100101) -> float | None:
    """Return what a perfect 90 % band undercuts in its worst year once in twenty times.

    Outcomes of a random walk overlap, so the misses of a perfect band come in clusters, the more so the longer the
    horizon: the worst of fifteen years is far below 90 % by chance alone. Simulated with normal steps.

    Parameters
    ----------
    sessions, years : (n,) int64
        Cutoffs, and the calendar years of their outcomes.
    horizon_sessions : int > 0
    seed : int
        The only source of randomness.
    """
    counted = _counted(years)
    if not len(counted):
        return None
    rng, first = np.random.default_rng(seed), int(sessions[0])
    length = int(sessions[-1]) + horizon_sessions - first
    limit = NORMAL_90 * sqrt(horizon_sessions)
    start, end = sessions - first, sessions - first + horizon_sessions
    paths = np.zeros((_WALKS, length + 1))
    np.cumsum(rng.standard_normal((_WALKS, length)), axis=1, out=paths[:, 1:])
    hits = np.abs(paths[:, end] - paths[:, start]) <= limit
    worst = np.min([hits[:, years == year].mean(axis=1) for year in counted], axis=0)
    return float(np.quantile(worst, _LOW))


def overlap_of(horizon_sessions: int, step: int) -> int:
    """Return how many cutoffs, ``step`` sessions apart, share an outcome's span."""
    return max(ceil(horizon_sessions / step), 1)


def _counted(years: Ints) -> Ints:
    found, counts = np.unique(years, return_counts=True)
    return np.asarray(found[counts >= LEAST_CUTOFFS])
