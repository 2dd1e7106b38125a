"""How good the detection has been: on the day, and about the days ahead."""

from __future__ import annotations

import numpy as np

from cbi_common.timeseries.dataset import Floats, Ints
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


SESSIONS_PER_YEAR = 252


def switches_per_year(states: Ints) -> float | None:
    """Return how often the state changes in 252 sessions; None for fewer than two states.

    >>> switches_per_year(np.array([0] * 126 + [1] * 127))
    1.0
    """
    if len(states) < 2:
        return None
    return float(np.count_nonzero(np.diff(states)) * SESSIONS_PER_YEAR / (len(states) - 1))


def detection_lag(states: Ints, labels: Ints) -> float | None:
    """Return the mean number of rows from a change of the label to the first row on which the state has followed.

    A change that the label takes back before the state has followed is missed and has no lag; rows whose label is not
    known end a spell. None when no change was followed.

    Parameters
    ----------
    states, labels : (n,) int64
    """
    known = labels != UNKNOWN
    starts = np.flatnonzero(known[1:] & known[:-1] & (labels[1:] != labels[:-1])) + 1
    ends = np.flatnonzero(np.append(labels[1:] != labels[:-1], True)) + 1
    lags = []
    for start in starts.tolist():
        end = int(ends[np.searchsorted(ends, start, side="right")])
        followed = np.flatnonzero(states[start:end] == labels[start])
        if len(followed):
            lags.append(int(followed[0]))
    return float(np.mean(lags)) if lags else None


def brier(chances: Floats, labels: Ints) -> float | None:
    """Return the mean squared distance of the probabilities (n, k) from the label that came true (Brier, 1950).

    0 is perfect, 2 the worst; None when no label is known.
    """
    known = labels != UNKNOWN
    if not known.any():
        return None
    outcome = np.eye(chances.shape[1])[labels[known]]
    return float(np.mean(np.sum((chances[known] - outcome) ** 2, axis=1)))


BINS = 10


def calibration_error(chances: Floats, labels: Ints) -> float | None:
    """Return the expected calibration error of the state's own probability (Guo et al., 2017), in `BINS` equal bins.

    The mean distance between how sure the classifier was and how often it was right; None when no label is known.
    """
    known = labels != UNKNOWN
    if not known.any():
        return None
    sure = chances[known].max(axis=1)
    right = chances[known].argmax(axis=1) == labels[known]
    places = np.minimum((sure * BINS).astype(np.int64), BINS - 1)
    gaps = [
        abs(float(sure[places == b].mean() - right[places == b].mean())) * (places == b).sum()
        for b in set(places.tolist())
    ]
    return float(sum(gaps) / len(sure))
