"""What happened within the day, and between two days."""

from __future__ import annotations

import numpy as np

from ingest.domain.kinds.windows import Floats, divide, log_ratio, mean, previous


def close_place(high: Floats, low: Floats, close: Floats, *, window: int) -> Floats:
    """Return the mean place of the close within the day's range, 0 at the low to 1 at the high."""
    return mean(divide(close - low, high - low), window)


def night_return(opened: Floats, close: Floats, *, window: int) -> Floats:
    """Return the mean log move from the close of a day to the open of the next."""
    return mean(np.log(opened / previous(close, 1)), window)


def illiquidity(x: Floats, volume: Floats, *, window: int) -> Floats:
    """Return the log of Amihud's (2002) measure: the mean absolute return per contract traded."""
    moves = np.abs(np.log(x) - np.log(previous(x, 1)))
    found = mean(divide(moves, volume), window)
    return log_ratio(found, np.ones(len(x)))
