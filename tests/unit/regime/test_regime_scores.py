import numpy as np
import pytest

from cbi_common.timeseries.regimes import UNKNOWN
from regime.domain.scores import accuracy, ahead_accuracy, balanced_accuracy


def test_accuracy_ignores_unknown_labels():
    assert accuracy(np.array([0, 1, 2]), np.array([0, UNKNOWN, 1])) == 0.5
    assert accuracy(np.array([0]), np.array([UNKNOWN])) is None


def test_balanced_accuracy_weighs_classes_alike():
    labels = np.array([3] * 98 + [0, 0])
    assert balanced_accuracy(np.full(100, 3), labels) == pytest.approx(0.5)
    assert balanced_accuracy(np.array([0]), np.array([UNKNOWN])) is None


def test_ahead_accuracy_by_hand():
    sessions = np.array([1, 2, 3, 5])
    states = np.array([0, 0, 1, 1])
    labels = np.array([0, 1, 1, 1])
    # session 1 -> 3 (label 1): state 0 wrong, label 0 wrong; session 3 -> 5 (label 1): both right; 2 -> 4 is missing
    assert ahead_accuracy(sessions, states, labels, 2) == (0.5, 0.5)
    assert ahead_accuracy(sessions, states, labels, 1) == (0.0, 0.5)
    assert ahead_accuracy(sessions, states, labels, 9) == (None, None)
