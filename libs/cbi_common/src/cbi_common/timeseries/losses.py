"""Losses of forecasts: error = forecast - actual, fractions rather than percents.

Every function takes arrays of equal length n >= 1 without NaN and returns a float; which rows count is the caller's
decision (`scoring`). Prices are positive, in any one unit, variances are of log returns and positive.
"""

from __future__ import annotations

import numpy as np

from cbi_common.timeseries.dataset import Floats, Ints, targets


def mae(forecast: Floats, actual: Floats) -> float:
    """Return the mean absolute error, in the unit of the arguments."""
    return float(np.mean(np.abs(forecast - actual)))


def mape(forecast: Floats, actual: Floats) -> float:
    """Return the mean absolute error as a fraction of the actual value, which must not be 0."""
    return float(np.mean(np.abs((forecast - actual) / actual)))


def r2(forecast: Floats, actual: Floats) -> float | None:
    """Return 1 - (squared errors) / (squared deviations of the actual values from their mean), None for constant ones.

    On levels it is near 1 for no-change too: read it beside no-change's (DOMAIN section 1).
    """
    spread = float(np.sum((actual - np.mean(actual)) ** 2))
    return 1.0 - float(np.sum((forecast - actual) ** 2)) / spread if spread > 0 else None


def r2_against(forecast: Floats, baseline: Floats, actual: Floats) -> float | None:
    """Return 1 - (squared errors) / (squared errors of a baseline), None for a perfect baseline."""
    spread = float(np.sum((baseline - actual) ** 2))
    return 1.0 - float(np.sum((forecast - actual) ** 2)) / spread if spread > 0 else None


def naive_mae(sessions: Ints, price: Floats, horizon_sessions: int) -> float | None:
    """Return the MAE of no-change over the horizon on these rows: the scale of `mase`, in the unit of the price.

    Give it the rows known before the first scored cutoff; None when none of them has its outcome among them.
    """
    returns = targets(sessions, price, horizon_sessions)
    known = ~np.isnan(returns)
    if not known.any():
        return None
    return float(np.mean(np.abs(price[known] * np.expm1(returns[known]))))


def mase(forecast: Floats, actual: Floats, scale: float) -> float:
    """Return the MAE over ``scale``, the in-sample `naive_mae` (Hyndman & Koehler, 2006); below 1 beats it."""
    return mae(forecast, actual) / scale


def skill(model_mae: float, baseline_mae: float) -> float | None:
    """Return 1 - MAE / MAE of the baseline on the same rows: 0 is as good, 1 perfect; None for a perfect baseline."""
    return 1.0 - model_mae / baseline_mae if baseline_mae > 0 else None


def pinball(forecast: Floats, actual: Floats, level: float) -> float:
    """Return the mean pinball loss of a forecast of the quantile ``level`` in (0, 1); at 0.5 it is half the MAE."""
    short = actual - forecast
    return float(np.mean(np.maximum(level * short, (level - 1.0) * short)))


def winkler(lower: Floats, upper: Floats, actual: Floats, alpha: float = 0.1) -> float:
    """Return the mean Winkler score of bands of coverage 1 - alpha (Gneiting & Raftery, 2007), smaller is better.

    The width, plus 2 / alpha times the distance by which the actual value lies outside.
    """
    below, above = np.maximum(lower - actual, 0.0), np.maximum(actual - upper, 0.0)
    return float(np.mean(upper - lower + 2.0 / alpha * (below + above)))


def coverage(lower: Floats, upper: Floats, actual: Floats) -> float:
    """Return the share of actual values inside the band, ends included."""
    return float(np.mean((lower <= actual) & (actual <= upper)))


def directional_accuracy(forecast_change: Floats, actual_change: Floats) -> float | None:
    """Return the share of rows with the right sign, among those where both the forecast and the price moved.

    None when there is no such row: a forecast of no change says nothing about direction.
    """
    moved = (forecast_change != 0) & (actual_change != 0)
    if not moved.any():
        return None
    return float(np.mean(np.sign(forecast_change[moved]) == np.sign(actual_change[moved])))


def qlike(forecast_variance: Floats, realised_variance: Floats) -> float:
    """Return the mean QLIKE loss (see `qlike_losses`)."""
    return float(np.mean(qlike_losses(forecast_variance, realised_variance)))


def qlike_losses(forecast_variance: Floats, realised_variance: Floats) -> Floats:
    """Return r - log r - 1 with r = realised / forecast variance, row by row (Patton, 2011); 0 is perfect."""
    ratio = realised_variance / forecast_variance
    return np.asarray(ratio - np.log(ratio) - 1.0)


def volatility_mae(forecast_variance: Floats, realised_variance: Floats, horizon_sessions: int) -> float:
    """Return the mean absolute error of the daily volatility in percentage points, from variances over the horizon."""
    error = np.sqrt(forecast_variance / horizon_sessions) - np.sqrt(realised_variance / horizon_sessions)
    return float(100.0 * np.mean(np.abs(error)))
