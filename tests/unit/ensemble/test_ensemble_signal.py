import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbi_common.timeseries.bands import Residuals
from ensemble.domain.signal import Policy, signal

NORMAL = Residuals((), 0.0, None, 1.0)


@pytest.mark.parametrize(
    ("expected", "advice"),
    [(0.05, "BUY"), (0.021, "BUY"), (0.01, "MONITOR"), (0.0, "MONITOR"), (-0.01, "MONITOR"), (-0.05, "WAIT")],
)
def test_rising_price_says_buy_and_falling_says_wait(expected, advice):
    assert signal(expected, 0.001, NORMAL) == advice


def test_a_wide_distribution_does_not_say_buy():
    assert signal(0.03, 0.5, NORMAL) == "MONITOR"
    assert signal(0.03, 0.5, NORMAL, Policy(confidence=0.45)) == "BUY"


def test_the_move_is_a_simple_return():
    assert signal(np.log(1.0201), 1e-6, NORMAL) == "BUY"
    assert signal(np.log(1.0199), 1e-6, NORMAL) == "MONITOR"
    assert signal(np.log(0.9801), 1e-6, NORMAL) == "MONITOR"
    assert signal(np.log(0.9799), 1e-6, NORMAL) == "WAIT"


@given(st.lists(st.floats(0.01, 4), min_size=60, max_size=200), st.floats(-0.2, 0.2), st.floats(0.01, 0.4))
def test_buy_is_said_where_enough_equally_likely_outcomes_lie_above(sizes, expected, sd):
    residuals = Residuals(tuple(sorted(sizes)), float(len(sizes)), None, 0.0)
    outcomes = expected + sd * np.concatenate([sizes, -np.array(sizes)])
    share = np.mean(outcomes > np.log(1.02))
    if abs(share - 0.6) > 0.02:  # the finite sample leaves room for one more outcome
        assert (signal(expected, sd, residuals) == "BUY") == (share > 0.6)
