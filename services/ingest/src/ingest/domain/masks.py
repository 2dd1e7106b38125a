"""Which values of a wide table say nothing; what is decided about a row depends on the rows up to it alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def opening_run(values: Floats) -> Mask:
    """Return the values that equal every one before them in their column: a backfill, until it first moves.

    The very first value is one of them, since nobody can tell yet. A column that never moves is one throughout.

    Parameters
    ----------
    values : (n, p) float64, ascending in time, NaN where not known

    >>> opening_run(np.array([[5.0], [np.nan], [5.0], [6.0], [5.0]])).ravel().tolist()
    [True, False, True, False, False]
    """
    moved = np.fmax.accumulate(values, axis=0) > np.fmin.accumulate(values, axis=0)
    still: Mask = ~moved & ~np.isnan(values)
    return still


def frozen(values: Floats, limits: NDArray[np.int64]) -> Mask:
    """Return the values from the ``limit``-th repetition in a row on, counted over the rows on which they are known.

    Parameters
    ----------
    values : (n, p) float64, ascending in time, NaN where not known
    limits : (p,) int64
        Equal values in a row of each column that are believed.

    >>> frozen(np.array([[1.0], [1.0], [np.nan], [1.0], [2.0]]), np.array([2])).ravel().tolist()
    [False, False, False, True, False]
    """
    if not values.size:
        return np.zeros(values.shape, dtype=bool)
    known = ~np.isnan(values)
    rows = np.arange(len(values))[:, None]
    latest = np.maximum.accumulate(np.where(known, rows, 0), axis=0)
    before = np.vstack([np.full((1, values.shape[1]), np.nan), np.take_along_axis(values, latest, axis=0)[:-1]])
    place = np.cumsum(known, axis=0)
    # A run begins where a known value differs from the known one before it; NaN differs from everything.
    begins = np.maximum.accumulate(np.where(known & (values != before), place, 0), axis=0)
    repeated: Mask = known & (place - begins >= limits)
    return repeated
