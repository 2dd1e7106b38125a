"""Rolling windows, bit for bit the same whether or not later rows exist.

A window says something when four fifths of it are known. Sums run from its oldest row to its newest, recursions from
the first row: rows added at the end change no earlier bit. Library routines that update a running sum do not promise
that.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

KNOWN = 0.8
"""Share of a window that must be known."""

STILL = 1e-9
"""Standard deviation, as a fraction of the mean, below which a window stands still."""


def previous(x: Floats, rows: int) -> Floats:
    """Return the value ``rows`` rows before, NaN where there is none."""
    result = np.full(len(x), np.nan)
    result[rows:] = x[: max(len(x) - rows, 0)]
    return result


def enough(x: Floats, window: int) -> NDArray[np.bool_]:
    """Return whether four fifths of each window are known."""
    return np.asarray(_count(x, window) >= np.ceil(KNOWN * window))


def mean(x: Floats, window: int) -> Floats:
    """Return the mean of what is known of each window."""
    found = np.where(enough(x, window), _total(np.where(np.isnan(x), 0.0, x), window), np.nan)
    return np.asarray(found / np.maximum(_count(x, window), 1))


def covariance(x: Floats, y: Floats, window: int) -> Floats:
    """Return the sample covariance over the rows of each window on which both are known.

    Deviations from the means cost a second pass and keep what the difference of two large sums would lose.
    """
    both = ~np.isnan(x) & ~np.isnan(y)
    left, right = np.where(both, x, np.nan), np.where(both, y, np.nan)
    x_mean, y_mean = mean(left, window), mean(right, window)
    products = np.zeros(len(x))
    rows = zip(_offsets(left, window), _offsets(right, window), strict=True)
    with np.errstate(invalid="ignore"):
        for x_part, y_part in rows:
            product = (x_part - x_mean) * (y_part - y_mean)
            products += np.where(np.isnan(product), 0.0, product)
    return np.where(enough(left, window), products / np.maximum(_count(left, window) - 1, 1), np.nan)


def deviation(x: Floats, window: int) -> Floats:
    """Return the sample standard deviation of each window, NaN where it stands still."""
    spread: Floats = np.sqrt(covariance(x, x, window))
    with np.errstate(invalid="ignore"):
        moving = spread > STILL * np.abs(mean(x, window))
    return np.where(moving, spread, np.nan)


def moment(x: Floats, window: int, power: int) -> Floats:
    """Return the mean of the deviations from the window's mean, raised to ``power``."""
    centre = mean(x, window)
    powers = np.zeros(len(x))
    with np.errstate(invalid="ignore"):
        for part in _offsets(x, window):
            away = (part - centre) ** power
            powers += np.where(np.isnan(away), 0.0, away)
    return np.where(enough(x, window), powers / np.maximum(_count(x, window), 1), np.nan)


def lowest(x: Floats, window: int) -> Floats:
    """Return the lowest value of each window."""
    return _extreme(np.fmin, x, window)


def highest(x: Floats, window: int) -> Floats:
    """Return the highest value of each window."""
    return _extreme(np.fmax, x, window)


def smoothed(x: Floats, alpha: float, warm_up: int) -> Floats:
    """Smooth exponentially from the first known value on; NaN until ``warm_up`` values are known."""
    result = np.full(len(x), np.nan)
    state, known = np.nan, 0
    for t, value in enumerate(x.tolist()):
        if value == value:  # not NaN
            state = value if known == 0 else (1 - alpha) * state + alpha * value
            known += 1
        if known >= warm_up:
            result[t] = state
    return result


def divide(x: Floats, y: Floats) -> Floats:
    """Return ``x / y``, NaN where ``y`` is zero or not known."""
    there = ~np.isnan(y) & (y != 0)
    return np.divide(x, y, out=np.full(len(x), np.nan), where=there)


def log_ratio(x: Floats, y: Floats) -> Floats:
    """Return ``log(x / y)``, NaN where one of them is not positive."""
    there = (x > 0) & (y > 0)
    result: Floats = np.log(np.divide(x, y, out=np.full(len(x), np.nan), where=there))
    return result


def _offsets(x: Floats, window: int) -> list[Floats]:
    """Return the oldest rows of all windows, then the next, up to the newest; views, not copies."""
    padded = np.concatenate([np.full(window - 1, np.nan), x])
    return [padded[offset : offset + len(x)] for offset in range(window)]


def _total(x: Floats, window: int) -> Floats:
    total = np.zeros(len(x))
    padded = np.concatenate([np.zeros(window - 1), x])
    for offset in range(window):
        total += padded[offset : offset + len(x)]
    return total


def _count(x: Floats, window: int) -> Floats:
    # Whole numbers are exact, so the difference of two running sums is.
    sums = np.concatenate([np.zeros(1), np.cumsum(~np.isnan(x))])
    ends = np.arange(1, len(sums))
    counted: Floats = sums[ends] - sums[np.maximum(ends - window, 0)]
    return counted


def _extreme(choose: np.ufunc, x: Floats, window: int) -> Floats:
    result = np.full(len(x), np.nan)
    for part in _offsets(x, window):
        result = choose(result, part)
    return np.where(enough(x, window), result, np.nan)
