from math import atan, pi, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import stdtr
from scipy.stats import false_discovery_control

from cbi_common.timeseries.significance import diebold_mariano, false_discovery_adjusted, n_effective, upper_tail_t


@given(st.floats(-50, 50), st.integers(1, 1500))
def test_tail_of_student_t_equals_scipy(statistic: float, degrees: int) -> None:
    # scipy itself is off by 5e-11 near zero: the closed forms below are sharper.
    assert upper_tail_t(statistic, degrees) == pytest.approx(stdtr(degrees, -statistic), abs=1e-9)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=100))
def test_adjusted_p_values_are_those_of_scipy(p_values: list[float]) -> None:
    expected = false_discovery_control(p_values, method="by")
    np.testing.assert_array_equal(false_discovery_adjusted(np.array(p_values)), expected)


@given(st.floats(-50, 50))
def test_tail_of_student_t_equals_its_closed_forms(statistic: float) -> None:
    assert upper_tail_t(statistic, 1) == pytest.approx(0.5 - atan(statistic) / pi, abs=1e-15)
    assert upper_tail_t(statistic, 2) == pytest.approx(0.5 - statistic / (2 * sqrt(2 + statistic**2)), abs=1e-15)


def naive_p(gain: list[float], overlap: int) -> float:
    """Equations of Harvey, Leybourne & Newbold (1997), term by term."""
    n, mean = len(gain), sum(gain) / len(gain)

    def covariance(k: int) -> float:
        return sum((gain[i] - mean) * (gain[i - k] - mean) for i in range(k, n)) / n

    variance = covariance(0) + 2 * sum(covariance(k) for k in range(1, overlap))
    if variance <= 0:
        variance = covariance(0) + 2 * sum((1 - k / overlap) * covariance(k) for k in range(1, overlap))
    statistic = mean / sqrt(variance / n)
    corrected = statistic * sqrt((n + 1 - 2 * overlap + overlap * (overlap - 1) / n) / n)
    return float(stdtr(n - 1, -corrected))


@pytest.mark.parametrize(("horizon", "overlap"), [(5, 1), (21, 5), (63, 13)])
def test_p_value_equals_the_equations(horizon: int, overlap: int) -> None:
    rng = np.random.default_rng(7)
    for _ in range(20):
        own, base = rng.exponential(size=(2, 80))
        p = diebold_mariano(own, base, horizon_sessions=horizon, step=5, effective=20)
        assert p == pytest.approx(naive_p((base - own).tolist(), overlap), abs=1e-10)


def test_bartlett_takes_over_when_the_variance_is_not_positive() -> None:
    base = np.tile([0.0, 1.0], 30)  # alternating: the first autocovariance cancels more than the variance
    p = diebold_mariano(np.zeros(60), base, horizon_sessions=10, step=5, effective=20)
    assert p == pytest.approx(naive_p(base.tolist(), 2), abs=1e-10)


@pytest.mark.parametrize(("horizon", "five_percent"), [(5, 0.065), (21, 0.065), (63, 0.085), (126, 0.1)])
def test_size_under_overlapping_errors(horizon: int, five_percent: float) -> None:
    """Two equally good forecasts, errors that overlap as those of the horizon do: rejected as often as promised."""
    rng, n, overlap = np.random.default_rng(1), 252, -(-horizon // 5)
    cutoffs = np.arange(n) * 5
    effective = n_effective(cutoffs, cutoffs + horizon, horizon)
    rejected = 0
    for _ in range(600):
        walk = np.cumsum(rng.standard_normal((n + overlap, 2)), axis=0)
        errors = np.abs(walk[overlap:] - walk[:-overlap])
        p = diebold_mariano(errors[:, 0], errors[:, 1], horizon_sessions=horizon, step=5, effective=effective)
        rejected += p is not None and p < 0.05
    assert 0.03 < rejected / 600 < five_percent


def test_a_better_forecast_is_found_and_a_worse_one_is_not() -> None:
    rng = np.random.default_rng(3)
    base = rng.exponential(size=250)
    better = base * rng.uniform(0.7, 1.1, 250)
    found = diebold_mariano(better, base, horizon_sessions=5, step=5, effective=250)
    missed = diebold_mariano(base, better, horizon_sessions=5, step=5, effective=250)
    assert found is not None
    assert found < 0.001
    assert missed == pytest.approx(1 - found)


def test_no_p_value_without_ten_windows_or_without_variation() -> None:
    own, base = np.arange(50.0), np.arange(50.0)[::-1].copy()
    assert diebold_mariano(own, base, horizon_sessions=5, step=5, effective=9.99) is None
    assert diebold_mariano(own, own, horizon_sessions=5, step=5, effective=50) is None
    assert diebold_mariano(own, own + 0.1, horizon_sessions=5, step=5, effective=50) is None
    assert diebold_mariano(own[:4], base[:4], horizon_sessions=20, step=5, effective=50) is None


def test_effective_windows() -> None:
    weekly = np.arange(252) * 5
    assert n_effective(weekly, weekly + 5, 5) == 252
    assert n_effective(weekly, weekly + 252, 252) == pytest.approx(1255 / 252 + 1)
    assert n_effective(weekly[:0], weekly[:0], 5) == 0.0
    assert n_effective(weekly[:1], weekly[:1] + 21, 21) == 1.0


@pytest.mark.parametrize("first", [0, 7, 5000])
def test_effective_windows_do_not_depend_on_when_the_cutoffs_are(first: int) -> None:
    sessions = first + np.arange(0, 1260, 21)
    assert n_effective(sessions, sessions + 126, 126) == pytest.approx((59 * 21 + 126) / 126)
