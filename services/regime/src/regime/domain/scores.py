"""How good the detection has been: on the day, and about the days ahead."""

from __future__ import annotations

import numpy as np

from cbi_common.timeseries.dataset import Ints
from cbi_common.timeseries.regimes import UNKNOWN


def accuracy(states: Ints, labels: Ints) -> float | None:
    """Return the share of known labels that the state meets, None when no label is known."""
    known = labels != UNKNOWN
    return float((states[known] == labels[known]).mean()) if known.any() else None


def balanced_accuracy(states: Ints, labels: Ints) -> float | None:
    """Return the mean recall over the classes that occur, None when no label is known."""
    present = [c for c in np.unique(labels) if c != UNKNOWN]
    if not present:
        return None
    return float(np.mean([(states[labels == c] == c).mean() for c in present]))


def ahead_accuracy(sessions: Ints, states: Ints, labels: Ints, ahead: int) -> tuple[float | None, float | None]:
    """Return how often today's state, and today's label (persistence), is the label ``ahead`` sessions later.

    Parameters
    ----------
    sessions : (n,) int64, ascending
    states, labels : (n,) int64
    ahead : int
        Sessions, >= 1.

    Returns
    -------
    (forward, persistence)
        Both over the rows whose label is known today and ``ahead`` sessions later; None when there are none.
    """
    later = np.searchsorted(sessions, sessions + ahead)
    found = np.minimum(later, len(sessions) - 1)
    outcome = np.where(sessions[found] == sessions + ahead, labels[found], UNKNOWN)
    rows = (outcome != UNKNOWN) & (labels != UNKNOWN)
    return accuracy(states[rows], outcome[rows]), accuracy(labels[rows], outcome[rows])
