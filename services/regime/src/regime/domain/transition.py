"""How regimes follow each other: counts of labels, and what they say about the days ahead."""

from __future__ import annotations

import numpy as np

from cbi_common.timeseries.dataset import Floats, Ints
from cbi_common.timeseries.regimes import CLASSES, UNKNOWN


def labels_ahead(sessions: Ints, labels: Ints, ahead: int) -> Ints:
    """Return the label ``ahead`` sessions later, `UNKNOWN` where these rows do not hold it.

    >>> labels_ahead(np.array([1, 2, 3, 5]), np.array([0, 1, 2, 3]), 2).tolist()
    [2, -1, 3, -1]
    """
    found = np.minimum(np.searchsorted(sessions, sessions + ahead), len(sessions) - 1)
    return np.where(sessions[found] == sessions + ahead, labels[found], UNKNOWN)


def transition(sessions: Ints, labels: Ints, ahead: int) -> Floats:
    """Return the probability of each class ``ahead`` sessions later (columns) given today's (rows).

    Counts of the pairs in these rows, plus one pair per row of the table spread evenly: nothing is called impossible.

    Parameters
    ----------
    sessions, labels : (n,) int64
        Only what was known at the fit: a pair counts once its later label is there.
    ahead : int
        Sessions, >= 1.

    Returns
    -------
    (k, k) float64
        Rows sum to 1.
    """
    later = labels_ahead(sessions, labels, ahead)
    known = (labels != UNKNOWN) & (later != UNKNOWN)
    counts = np.full((len(CLASSES), len(CLASSES)), 1 / len(CLASSES))
    np.add.at(counts, (labels[known], later[known]), 1.0)
    probabilities: Floats = counts / counts.sum(axis=1, keepdims=True)
    return probabilities


def ahead(chances: Floats, step: Floats) -> Floats:
    """Return the probabilities (n, k) after a ``step`` (k, k) of today's ``chances`` (n, k)."""
    # Not a matrix product: its last bit depends on how many rows there are.
    moved: Floats = (chances[:, :, None] * step).sum(axis=1)
    return moved
