import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cbi_common.timeseries.attribution import combine, in_price

RETURNS = st.floats(-0.3, 0.3)


@given(arrays(np.float64, st.integers(1, 8), elements=RETURNS), st.floats(10, 100))
def test_contributions_in_price_sum_to_the_move(phi: np.ndarray, current: float) -> None:
    forecast = current * float(np.exp(phi.sum()))
    shares = in_price(phi, current, forecast)
    assert shares.sum() == pytest.approx(forecast - current, abs=1e-9)
    assert (np.sign(shares) == np.sign(phi)).all()


def test_equal_prices_convert_at_the_price() -> None:
    np.testing.assert_array_equal(in_price(np.array([0.02, -0.02]), 50.0, 50.0), [1.0, -1.0])


def test_conversion_is_continuous_around_no_change() -> None:
    phi = np.array([0.02, -0.02 + 1e-13])
    np.testing.assert_allclose(in_price(phi, 50.0, 50.0 * np.exp(1e-13)), [1.0, -1.0], rtol=1e-9)


def test_a_residual_stays_visible_in_proportion() -> None:
    shares = in_price(np.array([0.04, 0.05]), 50.0, 50.0 * np.exp(0.1))
    assert shares.sum() == pytest.approx(0.9 * (50.0 * np.exp(0.1) - 50.0))


def test_one_row_per_cutoff() -> None:
    phi = np.array([[0.01, 0.02], [0.0, 0.0]])
    current, forecast = np.array([40.0, 50.0]), np.array([40.0 * np.exp(0.03), 50.0])
    np.testing.assert_allclose(in_price(phi, current, forecast).sum(axis=1), forecast - current, atol=1e-12)


def test_blended_contributions_sum_to_the_blended_forecast() -> None:
    rng = np.random.default_rng(0)
    members = rng.normal(size=(3, 5))
    weights = np.array([0.5, 0.3, 0.1])  # the rest is no-change's
    combined = combine(weights, members)
    assert combined.sum() == pytest.approx(weights @ members.sum(axis=1))
    np.testing.assert_allclose(combined, sum(w * row for w, row in zip(weights, members, strict=True)))


def test_a_member_without_weight_does_not_count_even_when_unknown() -> None:
    members = np.array([[0.1, 0.2], [np.nan, np.nan]])
    np.testing.assert_array_equal(combine(np.array([1.0, 0.0]), members), [0.1, 0.2])
    np.testing.assert_array_equal(combine(np.zeros(2), members), [0.0, 0.0])
