"""Volatilities and the shape of returns; volatilities are fractions per year."""

from __future__ import annotations

import numpy as np

from ingest.domain.kinds.moves import log_return
from ingest.domain.kinds.windows import Floats, covariance, deviation, divide, log_ratio, mean, moment, previous

_YEAR = 252


def realised_vol(x: Floats, *, window: int) -> Floats:
    """Return the annualised root mean square of daily log returns."""
    moves = log_return(x, sessions=1)
    result: Floats = np.sqrt(_YEAR * mean(moves * moves, window))
    return result


def vol_ratio(x: Floats, *, fast: int, slow: int) -> Floats:
    """Return the log of a short realised volatility over a long one."""
    return log_ratio(realised_vol(x, window=fast), realised_vol(x, window=slow))


def parkinson(high: Floats, low: Floats, *, window: int) -> Floats:
    """Return Parkinson's (1980) volatility from the range of the day."""
    ranges = np.log(high / low)
    result: Floats = np.sqrt(_YEAR / (4 * np.log(2)) * mean(ranges * ranges, window))
    return result


def garman_klass(opened: Floats, high: Floats, low: Floats, close: Floats, *, window: int) -> Floats:
    """Return the volatility of Garman and Klass (1980) from open, high, low and close; it ignores the night."""
    day, ranges = np.log(close / opened), np.log(high / low)
    variance = mean(0.5 * ranges * ranges - (2 * np.log(2) - 1) * day * day, window)
    result: Floats = np.sqrt(_YEAR * np.maximum(variance, 0.0))
    return result


def yang_zhang(opened: Floats, high: Floats, low: Floats, close: Floats, *, window: int) -> Floats:
    """Return the volatility of Yang and Zhang (2000): night, day and range, free of drift."""
    night, day = np.log(opened / previous(close, 1)), np.log(close / opened)
    up, down = np.log(high / opened), np.log(low / opened)
    within = mean(up * (up - day) + down * (down - day), window)
    weight = 0.34 / (1.34 + (window + 1) / (window - 1))
    variance = covariance(night, night, window) + weight * covariance(day, day, window) + (1 - weight) * within
    result: Floats = np.sqrt(_YEAR * np.maximum(variance, 0.0))
    return result


def downside_share(x: Floats, *, window: int) -> Floats:
    """Return the share of falling days in the sum of squared returns, 0 to 1 (Barndorff-Nielsen et al., 2010)."""
    moves = log_return(x, sessions=1)
    return divide(mean(np.where(moves > 0, 0.0, moves * moves), window), mean(moves * moves, window))


def jump_share(x: Floats, *, window: int) -> Floats:
    """Return the share of jumps in the variance, at most 1: one less bipower over squared returns.

    Neighbouring returns are large together in a turmoil and one alone in a jump (Barndorff-Nielsen and Shephard, 2004).
    Below 0 is noise.
    """
    moves = np.abs(log_return(x, sessions=1))
    smooth = np.pi / 2 * mean(moves * previous(moves, 1), window)
    return 1 - divide(smooth, mean(moves * moves, window))


def skewness(x: Floats, *, window: int) -> Floats:
    """Return the skewness of daily log returns, NaN where they stand still."""
    moves = log_return(x, sessions=1)
    still = np.isnan(deviation(moves, window))
    scale = np.where(still, np.nan, moment(moves, window, 2))
    return divide(moment(moves, window, 3), scale**1.5)


def vol_premium(implied: Floats, x: Floats, *, window: int) -> Floats:
    """Return the log of an implied volatility in percent over the realised one of its underlying.

    The variance risk premium (Bollerslev, Tauchen and Zhou, 2009): what people pay for insurance beyond what they got.
    """
    return log_ratio(implied / 100, realised_vol(x, window=window))
