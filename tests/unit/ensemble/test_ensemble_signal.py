import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble.domain.signal import Policy, probability_above, signal

NARROW = np.linspace(-0.005, 0.005, 201)


@pytest.mark.parametrize(
    ("expected", "advice"),
    [(0.05, "BUY"), (0.021, "BUY"), (0.01, "MONITOR"), (0.0, "MONITOR"), (-0.01, "MONITOR"), (-0.05, "WAIT")],
)
def test_rising_price_says_buy_and_falling_says_wait(expected, advice):
    assert signal(expected, expected + NARROW) == advice


def test_a_wide_distribution_does_not_say_buy():
    assert signal(0.03, 0.03 + 100 * NARROW) == "MONITOR"
    assert signal(0.03, 0.03 + 100 * NARROW, Policy(confidence=0.45)) == "BUY"


def test_the_move_is_a_simple_return():
    assert signal(np.log(1.0201), np.full(9, np.log(1.0201))) == "BUY"
    assert signal(np.log(1.0199), np.full(9, np.log(1.0199))) == "MONITOR"
    assert signal(np.log(0.9801), np.full(9, np.log(0.9801))) == "MONITOR"
    assert signal(np.log(0.9799), np.full(9, np.log(0.9799))) == "WAIT"


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=30), st.integers(-3, 3))
def test_probability_against_a_count(outcomes, level):
    expected = sum(1.0 if o > level else 0.5 if o == level else 0.0 for o in outcomes) / len(outcomes)
    assert probability_above(np.array(outcomes, dtype=float), float(level)) == pytest.approx(expected)
