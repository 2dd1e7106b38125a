import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbi_common.timeseries.volatility import ewma_variance, forecast_sd, realised_variance

SESSIONS = st.lists(st.integers(0, 150), min_size=1, max_size=80, unique=True).map(sorted)


def series(sessions: list[int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return np.array(sessions, dtype=np.int64), np.exp(np.cumsum(rng.normal(0, 0.02, len(sessions))) + 3.5)


def naive_ewma(sessions: np.ndarray, price: np.ndarray, row: int, decay: float) -> float:
    """Every session that a return spans holds an equal part of its square; weights fade with the session's age."""
    total = mass = 0.0
    for i in range(1, row + 1):
        gap = int(sessions[i] - sessions[i - 1])
        for session in range(int(sessions[i - 1]) + 1, int(sessions[i]) + 1):
            weight = decay ** int(sessions[row] - session)
            total += weight * float(np.log(price[i] / price[i - 1])) ** 2 / gap
            mass += weight
    return total / mass


@given(SESSIONS)
def test_ewma_equals_a_weighted_sum_over_sessions(sessions: list[int]) -> None:
    numbers, price = series(sessions)
    result = ewma_variance(numbers, price, decay=0.9, min_returns=3)
    expected = [naive_ewma(numbers, price, i, 0.9) if i >= 3 else np.nan for i in range(len(numbers))]
    np.testing.assert_allclose(result, expected, rtol=1e-10)


def test_ewma_is_known_at_the_close_it_is_dated() -> None:
    numbers, price = series(list(range(300)))
    whole = ewma_variance(numbers, price)
    for end in (30, 150, 299):
        assert whole[:end].tobytes() == ewma_variance(numbers[:end], price[:end]).tobytes()


def test_ewma_finds_the_variance_of_a_random_walk_with_holes() -> None:
    rng = np.random.default_rng(5)
    numbers = np.flatnonzero(rng.random(20_000) < 0.8)
    price = np.exp(np.cumsum(rng.normal(0, 0.015, 20_000)))[numbers]
    assert np.nanmean(ewma_variance(numbers, price)) == pytest.approx(0.015**2, rel=0.03)


def test_forecast_sd_grows_with_the_root_of_the_horizon() -> None:
    np.testing.assert_allclose(forecast_sd(np.array([0.0004, np.nan]), 25), [0.1, np.nan])


@given(SESSIONS, st.integers(1, 30))
def test_realised_variance_equals_a_sum_of_squares(sessions: list[int], horizon: int) -> None:
    numbers, price = series(sessions)
    result = realised_variance(numbers, price, horizon)
    for i, session in enumerate(sessions):
        if session + horizon not in sessions:
            assert np.isnan(result[i])
            continue
        j = sessions.index(session + horizon)
        naive = sum(float(np.log(price[k] / price[k - 1])) ** 2 for k in range(i + 1, j + 1))
        assert result[i] == pytest.approx(naive, rel=1e-9, abs=1e-15)


def test_no_rows_have_no_variance() -> None:
    empty = np.array([], dtype=np.int64)
    assert realised_variance(empty, np.array([]), 5).tolist() == []
    assert ewma_variance(empty, np.array([])).tolist() == []
