"""Members that say the same: errors so alike that they are one opinion and share one vote."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cbi_common.timeseries.dataset import Floats, Ints

SAME = 0.999
"""Correlation of errors from which two members are duplicates."""

MIN_ROWS = 48
"""Errors of both members without which nothing is said of a pair."""


def duplicates(errors: Floats) -> tuple[tuple[int, ...], ...]:
    """Return the groups of at least two members whose errors correlate above `SAME`, directly or through others.

    Parameters
    ----------
    errors : (n, m) float64
        Forecast minus actual, NaN where a member has no forecast.
    """
    alike = _alike(errors, np.array([len(errors)]))[0]
    groups = {tuple(np.flatnonzero(row).tolist()) for row in alike}
    return tuple(sorted(group for group in groups if len(group) > 1))


def votes(errors: Floats, matured: Ints) -> Floats:
    """Return each member's vote, (k, m): one over the size of its group, from the first ``matured[i]`` rows alone.

    Parameters
    ----------
    errors : (n, m) float64
        In the order in which the outcomes became known.
    matured : (k,) int64
        Rows known at each cutoff.
    """
    found: Floats = 1.0 / _alike(errors, matured).sum(axis=-1)
    return found


def _alike(errors: Floats, matured: Ints) -> NDArray[np.bool_]:
    """Return (k, m, m): whether two members belong together, by the first ``matured`` rows."""
    there = (~np.isnan(errors)).astype(np.float64)
    x = np.where(np.isnan(errors), 0.0, errors)
    # Sums over the rows that both members have, added from the oldest on: a later row changes no earlier one.
    count = _known_by(there[:, :, None] * there[:, None, :], matured)
    own = _known_by(x[:, :, None] * there[:, None, :], matured)
    square = _known_by((x * x)[:, :, None] * there[:, None, :], matured)
    product = _known_by(x[:, :, None] * x[:, None, :], matured)
    other, other_square = own.swapaxes(1, 2), square.swapaxes(1, 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        covariance = product - own * other / count
        spread = np.sqrt((square - own**2 / count) * (other_square - other**2 / count))
        same = (covariance > SAME * spread) & (count >= MIN_ROWS)
    same |= np.eye(errors.shape[1], dtype=bool)
    for _ in range(int(np.ceil(np.log2(max(errors.shape[1], 2))))):
        reach = same.astype(np.int64)
        same = np.matmul(reach, reach) > 0
    found: NDArray[np.bool_] = same
    return found


def _known_by(terms: Floats, matured: Ints) -> Floats:
    sums = np.concatenate([np.zeros((1, *terms.shape[1:])), np.cumsum(terms, axis=0)])
    found: Floats = sums[matured]
    return found
