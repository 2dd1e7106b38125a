"""Where a series stands against its own past."""

from __future__ import annotations

import numpy as np

from ingest.domain.kinds.moves import log_return
from ingest.domain.kinds.volatility import realised_vol
from ingest.domain.kinds.windows import Floats, deviation, divide, highest, log_ratio, lowest, mean, smoothed

_YEAR = 252


def zscore(x: Floats, *, window: int) -> Floats:
    """Return the distance from the rolling mean in rolling standard deviations, NaN where the window stands still."""
    return divide(x - mean(x, window), deviation(x, window))


def ma_ratio(x: Floats, *, window: int) -> Floats:
    """Return the log of a positive series over its rolling mean."""
    return log_ratio(x, mean(x, window))


def mean_ratio(x: Floats, *, fast: int, slow: int) -> Floats:
    """Return the log of a short rolling mean over a long one, of a positive series."""
    return log_ratio(mean(x, fast), mean(x, slow))


def range_place(x: Floats, *, window: int) -> Floats:
    """Return the place between the lowest (0) and the highest value (1) of the window."""
    low, high = lowest(x, window), highest(x, window)
    return divide(x - low, high - low)


def drawdown(x: Floats, *, window: int) -> Floats:
    """Return the log of a positive series over the highest value of the window, at most 0."""
    return log_ratio(x, highest(x, window))


def bollinger(x: Floats, *, window: int, width: float) -> Floats:
    """Return the place within the Bollinger band: 0 at its lower, 1 at its upper edge."""
    return 0.5 + zscore(x, window=window) / (2 * width)


def rsi(x: Floats, *, window: int) -> Floats:
    """Return Wilder's relative strength index (1978), 0 to 100."""
    moves = np.concatenate([np.full(1, np.nan), np.diff(x)])
    up = smoothed(np.maximum(moves, 0), 1 / window, window)
    down = smoothed(np.maximum(-moves, 0), 1 / window, window)
    return divide(100 * up, up + down)


def macd(x: Floats, *, fast: int, slow: int, signal: int) -> Floats:
    """Return Appel's MACD histogram over the price."""
    line = smoothed(x, 2 / (fast + 1), fast) - smoothed(x, 2 / (slow + 1), slow)
    result: Floats = (line - smoothed(line, 2 / (signal + 1), signal)) / x
    return result


def trend_strength(x: Floats, *, window: int) -> Floats:
    """Return the return over the window in units of its own volatility (Moskowitz, Ooi and Pedersen, 2012)."""
    expected = realised_vol(x, window=window) * np.sqrt(window / _YEAR)
    return divide(log_return(x, sessions=window), expected)
