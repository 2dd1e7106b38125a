"""Windows of sessions: what a sequence net reads."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cbi_common.timeseries.dataset import Floats


def window_ends(rows: int, window: int, stride: int) -> NDArray[np.int64]:
    """Return the rows at which a full window ends, ascending: the last one, and every ``stride``-th before it.

    >>> window_ends(10, window=4, stride=3).tolist()
    [3, 6, 9]
    """
    return np.arange(rows - 1, window - 2, -stride, dtype=np.int64)[::-1]


def windows_at(values: Floats, ends: NDArray[np.int64], window: int) -> NDArray[np.float32]:
    """Return (len(ends), window, n) of ``values`` (rows, n): each window ends at, and includes, its row."""
    view = np.lib.stride_tricks.sliding_window_view(values.astype(np.float32), window, axis=0)
    return np.ascontiguousarray(np.moveaxis(view[ends - window + 1], -1, 1))
