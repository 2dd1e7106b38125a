"""Spearman's rank correlation; own lines, for scipy's would load half a second of library into every explanation."""

from __future__ import annotations

import numpy as np

from cbi_common.timeseries.dataset import Floats


def rank_correlation(a: Floats, b: Floats) -> float | None:
    """Return the rank correlation of two samples (n,), None where one of them is constant.

    >>> round(rank_correlation(np.array([1.0, 2.0, 9.0]), np.array([0.1, 0.3, 0.2])), 3)
    0.5
    """
    if not (np.ptp(a) > 0 and np.ptp(b) > 0):
        return None
    return float(np.corrcoef(_ranks(a), _ranks(b))[0, 1])


def _ranks(values: Floats) -> Floats:
    """Ranks, equal values sharing the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2.0)[place], dtype=np.float64)
