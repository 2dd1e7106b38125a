"""Volatility of log returns: EWMA as known each day, and what the market then did."""

from __future__ import annotations

import numpy as np

from cbi_common.timeseries.dataset import Floats, Ints


def ewma_variance(sessions: Ints, price: Floats, *, decay: float = 0.97, min_returns: int = 21) -> Floats:
    """Return the exponentially weighted variance of the log return over one session, as known at each close.

    A return over a gap of g sessions says that the variance per session was r^2 / g, g times: older returns fade by
    ``decay ** g`` and it gets the rest. Weights are normalised to sum to one from the first return on, so no starting
    value is made up.

    Parameters
    ----------
    sessions : (n,) int64, ascending
    price : (n,) float64 > 0
    decay : float in (0, 1)
    min_returns : int >= 1
        Returns needed before the first value.

    Returns
    -------
    (n,) float64
        NaN on the first ``min_returns`` rows.
    """
    result = np.full(len(price), np.nan)
    squares = np.diff(np.log(price)) ** 2
    weighted = mass = 0.0
    for i, (square, gap) in enumerate(zip(squares.tolist(), np.diff(sessions).tolist(), strict=True), start=1):
        fade = decay**gap
        weighted = fade * weighted + (1.0 - fade) * square / gap
        mass = fade * mass + (1.0 - fade)
        if i >= min_returns:
            result[i] = weighted / mass
    return result


def forecast_sd(variance: Floats, horizon_sessions: int) -> Floats:
    """Return the forecast standard deviation of the log return over the horizon, from the variance per session.

    An EWMA forecasts the same variance for every session ahead, so variances add up to ``horizon_sessions`` times it.
    """
    sd: Floats = np.sqrt(variance * horizon_sessions)
    return sd


def realised_variance(sessions: Ints, price: Floats, horizon_sessions: int) -> Floats:
    """Return the sum of squared log returns of the sessions t+1 … t+h, the volatility target (DOMAIN section 7).

    A return over a gap inside the horizon counts as one; a row without a session exactly h later has no value (NaN).

    Parameters
    ----------
    sessions : (n,) int64, ascending
    price : (n,) float64 > 0
    horizon_sessions : int > 0
    """
    result = np.full(len(price), np.nan)
    if not len(price):
        return result
    so_far = np.concatenate([[0.0], np.cumsum(np.diff(np.log(price)) ** 2)])
    end = np.minimum(np.searchsorted(sessions, sessions + horizon_sessions), len(sessions) - 1)
    hit = sessions[end] == sessions + horizon_sessions
    result[hit] = so_far[end[hit]] - so_far[hit]
    return result
