import numpy as np
import pytest

from cbi_common.timeseries.regimes import UNKNOWN
from regime.domain.scores import (
    accuracy,
    ahead_accuracy,
    balanced_accuracy,
    brier,
    calibration_error,
    detection_lag,
    switches_per_year,
)


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


def test_switches_are_counted_per_year():
    assert switches_per_year(np.tile([0, 1], 127)) == pytest.approx(252.0)
    assert switches_per_year(np.zeros(253)) == 0.0
    assert switches_per_year(np.zeros(1)) is None


def test_the_lag_is_counted_from_the_change_of_the_label_to_the_state_that_follows():
    labels = np.array([0, 0, 1, 1, 1, 1, 0, 0, 0, 2, 1, 1])
    states = np.array([0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1])
    # 0 -> 1 at row 2, followed at 4; 1 -> 0 at 6 at once; 0 -> 2 at 9 never; 2 -> 1 at 10, followed at 11.
    assert detection_lag(states, labels) == pytest.approx((2 + 0 + 1) / 3)
    assert detection_lag(labels, labels) == 0.0
    assert detection_lag(states, np.zeros(12, dtype=np.int64)) is None
    hidden = np.where(labels == 2, UNKNOWN, labels)
    assert detection_lag(states, hidden) == pytest.approx(1.0)


def test_probabilities_against_what_came_true():
    chances = np.array([[0.8, 0.2], [0.8, 0.2], [0.3, 0.7], [0.5, 0.5]])
    labels = np.array([0, 1, 1, UNKNOWN])
    assert brier(chances, labels) == pytest.approx((2 * 0.04 + 2 * 0.64 + 2 * 0.09) / 3)
    # Twice 80 % sure and once right; once 70 % sure and right.
    assert calibration_error(chances, labels) == pytest.approx((2 * 0.3 + 1 * 0.3) / 3)
    assert brier(chances, np.full(4, UNKNOWN)) is None
    assert calibration_error(chances, np.full(4, UNKNOWN)) is None


def test_a_calibrated_classifier_has_no_calibration_error():
    rng = np.random.default_rng(1)
    p = rng.uniform(0.5, 1.0, 40_000)
    chances = np.column_stack([p, 1 - p])
    labels = (rng.random(40_000) > p).astype(np.int64)
    assert calibration_error(chances, labels) < 0.01
    assert brier(chances, labels) == pytest.approx(np.mean(2 * p * (1 - p)), abs=0.01)
