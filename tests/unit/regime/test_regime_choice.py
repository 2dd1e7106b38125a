from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cbi_common.timeseries.regimes import UNKNOWN
from regime.domain.choice import better
from regime.domain.spells import spells

SURE, UNSURE = np.array([[0.9, 0.1], [0.1, 0.9]]), np.full((2, 2), 0.5)


def test_the_classifier_that_was_better_before_speaks():
    right, wrong = np.array([0, 1]), np.array([1, 0])
    assert better([[SURE], [UNSURE]], [right]) == 0
    assert better([[SURE], [UNSURE]], [wrong]) == 1
    assert better([[SURE] * 4, [UNSURE] * 4], [wrong, right, right, right]) == 0


def test_the_first_speaks_while_nothing_is_known():
    assert better([], []) == 0
    assert better([[UNSURE], [SURE]], [np.full(2, UNKNOWN)]) == 0
    assert better([[SURE], [SURE]], [np.array([0, 1])]) == 0


def test_one_day_that_was_called_impossible_does_not_decide():
    sure, unsure = np.tile([1.0, 0.0], (100, 1)), np.tile([0.7, 0.3], (100, 1))
    outcome = np.zeros(100, dtype=np.int64)
    outcome[50] = 1
    assert better([[sure], [unsure]], [outcome]) == 0


@given(st.lists(st.integers(0, 3), max_size=60))
def test_spells_are_the_states_again(states):
    found = spells(np.array(states, dtype=np.int64))
    assert [spell.state for spell in found for _ in range(spell.start, spell.end)] == states
    assert all(a.state != b.state and a.end == b.start for a, b in pairwise(found))
