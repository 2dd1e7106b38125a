"""Rolling statistics over the rows of a series, unknown until the whole window is."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from cbi_common.markets.simulation.process import Floats


def lag(values: Floats, rows: int) -> Floats:
    """Return the (n,) values of ``rows`` rows before, NaN where there is none."""
    shifted = np.full(len(values), np.nan)
    shifted[rows:] = values[: len(values) - rows]
    return shifted


def change(values: Floats, rows: int) -> Floats:
    """Return the (n,) relative change over ``rows`` rows."""
    return values / lag(values, rows) - 1


def mean(values: Floats, window: int) -> Floats:
    """Return the (n,) means over the last ``window`` rows.

    >>> mean(np.array([1.0, 3.0, 5.0]), 2).tolist()
    [nan, 2.0, 4.0]
    """
    start = int(np.argmax(np.isfinite(values)))
    total = np.concatenate([[0.0], np.cumsum(values[start:])])
    averaged = np.full(len(values), np.nan)
    if len(total) > window:
        averaged[start + window - 1 :] = (total[window:] - total[:-window]) / window
    return averaged


def deviation(values: Floats, window: int) -> Floats:
    """Return the (n,) standard deviations over the last ``window`` rows."""
    centred: Floats = values - np.nanmean(values)
    spread: Floats = np.sqrt(np.maximum(mean(centred**2, window) - mean(centred, window) ** 2, 0.0))
    return spread


def zscore(values: Floats, window: int) -> Floats:
    """Return the (n,) values less their rolling mean, in rolling standard deviations."""
    return (values - mean(values, window)) / deviation(values, window)


def correlation(one: Floats, other: Floats, window: int) -> Floats:
    """Return the (n,) correlations over the last ``window`` rows."""
    joint = mean((one - np.nanmean(one)) * (other - np.nanmean(other)), window)
    joint -= mean(one - np.nanmean(one), window) * mean(other - np.nanmean(other), window)
    return np.clip(joint / (deviation(one, window) * deviation(other, window)), -1.0, 1.0)


def smooth(values: Floats, span: int) -> Floats:
    """Return the (n,) exponential means of weight ``2 / (span + 1)``, begun at the first value."""
    weight = 2 / (span + 1)
    smoothed: Floats = lfilter([weight], [1.0, weight - 1.0], values, zi=[(1 - weight) * values[0]])[0]
    return smoothed


def rsi(values: Floats, window: int) -> Floats:
    """Return the (n,) relative strength index between 0 and 100, of plain means."""
    moves = np.diff(values, prepend=np.nan)
    up, down = mean(np.where(moves < 0, 0.0, moves), window), mean(np.where(moves > 0, 0.0, -moves), window)
    return 100 * up / (up + down)
