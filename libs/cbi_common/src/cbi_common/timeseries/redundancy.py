"""Members that say the same: errors so alike that they are one opinion and share one vote."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cbi_common.timeseries.dataset import Floats, Ints

SAME = 0.999
"""Correlation of errors from which two members are duplicates."""

MIN_ROWS = 48
"""Errors of both members without which nothing is said of a pair."""

STEP = 12
"""Rows after which the groups are looked at anew."""


def duplicates(errors: Floats) -> tuple[tuple[int, ...], ...]:
    """Return the groups of at least two members whose errors correlate above `SAME`, directly or through others.

    Parameters
    ----------
    errors : (n, m) float64
        Forecast minus actual, NaN where a member has no forecast.
    """
    groups = {tuple(np.flatnonzero(row).tolist()) for row in _alike(errors, [0, len(errors)])[1]}
    return tuple(sorted(group for group in groups if len(group) > 1))


def votes(errors: Floats, matured: Ints, standing: NDArray[np.bool_]) -> Floats:
    """Return each member's vote, (k, m): one over how many of its group stand, from rows known at the cutoff alone.

    Parameters
    ----------
    errors : (n, m) float64
        In the order in which the outcomes became known.
    matured : (k,) int64
        Rows known at each cutoff; the groups come from the whole steps of `STEP` among them.
    standing : (k, m) bool
        Members that have earned a weight at each cutoff; the others take no vote from those.
    """
    steps = list(range(0, len(errors) + 1, STEP))
    groups = _alike(errors, steps)[matured // STEP]
    found: Floats = 1.0 / np.maximum(np.sum(groups & standing[:, None, :], axis=-1), 1)
    return found


def _alike(errors: Floats, ends: list[int]) -> NDArray[np.bool_]:
    """Return (len(ends), m, m): whether two members belong together by the rows before each end (first end 0)."""
    there = ~np.isnan(errors)
    x, both = np.where(there, errors, 0.0), there.astype(np.float64)
    # Sums over the rows that both members have, added from the oldest on: a later row changes no earlier one.
    count, own, square, product = (_before(a, b, ends) for a, b in ((both, both), (x, both), (x * x, both), (x, x)))
    other, other_square = own.swapaxes(1, 2), square.swapaxes(1, 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        covariance = product - own * other / count
        spread = np.sqrt((square - own**2 / count) * (other_square - other**2 / count))
        pairs = (covariance > SAME * spread) & (count >= MIN_ROWS)
    return _connected(pairs | np.eye(errors.shape[1], dtype=bool))


def _before(a: Floats, b: Floats, ends: list[int]) -> Floats:
    parts = [a[start:end].T @ b[start:end] for start, end in pairwise(ends)]
    return np.cumsum([np.zeros((a.shape[1], b.shape[1])), *parts], axis=0)


def _connected(pairs: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Follow pairs to the groups they make, doubling the length of the paths that are seen."""
    seen = pairs.astype(np.float32)
    while True:
        further = np.minimum(np.matmul(seen, seen), 1.0)
        if np.array_equal(further, seen):
            found: NDArray[np.bool_] = seen > 0
            return found
        seen = further
