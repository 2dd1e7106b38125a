import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbi_common.timeseries.panel import as_known

OBSERVATIONS = st.lists(
    st.tuples(st.integers(-20, 120), st.one_of(st.just(float("nan")), st.floats(-5, 5))),
    max_size=30,
    unique_by=lambda pair: pair[0],
).map(sorted)
LAGS = st.integers(0, 15)


def arrays(observations: list[tuple[int, float]]) -> tuple[np.ndarray, np.ndarray]:
    return (
        np.array([s for s, _ in observations], dtype=np.int64),
        np.array([v for _, v in observations], dtype=np.float64),
    )


def naive(session: int, observations: list[tuple[int, float]], lag: int, staleness: int) -> float:
    known = [(o + lag, v) for o, v in observations if o + lag <= session and not np.isnan(v)]
    if not known or session - known[-1][0] > staleness:
        return float("nan")
    return known[-1][1]


@given(OBSERVATIONS, LAGS, LAGS)
def test_equals_a_search_through_all_observations(obs: list[tuple[int, float]], lag: int, staleness: int) -> None:
    sessions = np.arange(-10, 130)
    result = as_known(sessions, *arrays(obs), release_lag_sessions=lag, staleness_sessions=staleness)
    np.testing.assert_array_equal(result, [naive(int(s), obs, lag, staleness) for s in sessions])


@given(OBSERVATIONS, LAGS, LAGS, st.integers(-10, 130), st.integers(0, 2**32 - 1))
def test_what_is_known_at_a_session_ignores_whatever_is_released_later(
    obs: list[tuple[int, float]], lag: int, staleness: int, cut: int, seed: int
) -> None:
    sessions, (when, values) = np.arange(-10, 130), arrays(obs)
    released = when + lag <= cut
    noise = np.where(released, values, np.random.default_rng(seed).normal(size=len(values)))
    past = sessions <= cut
    whole = as_known(sessions, when, values, release_lag_sessions=lag, staleness_sessions=staleness)[past]
    for changed in (
        as_known(sessions, when, noise, release_lag_sessions=lag, staleness_sessions=staleness)[past],
        as_known(
            sessions[past], when[released], values[released], release_lag_sessions=lag, staleness_sessions=staleness
        ),
    ):
        assert whole.tobytes() == changed.tobytes()


def test_a_value_holds_to_its_staleness_limit_and_no_longer() -> None:
    known = as_known(np.arange(5), np.array([1]), np.array([7.0]), release_lag_sessions=0, staleness_sessions=2)
    np.testing.assert_array_equal(known, [np.nan, 7.0, 7.0, 7.0, np.nan])


@pytest.mark.parametrize("when", [[1, 1], [2, 1]])
def test_observations_out_of_order_are_refused(when: list[int]) -> None:
    with pytest.raises(ValueError, match="ascend"):
        as_known(np.arange(3), np.array(when), np.ones(2), release_lag_sessions=0, staleness_sessions=0)


@pytest.mark.parametrize(("lag", "staleness"), [(-1, 0), (0, -1)])
def test_negative_lags_are_refused(lag: int, staleness: int) -> None:
    with pytest.raises(ValueError, match="negative"):
        as_known(np.arange(3), np.array([0]), np.ones(1), release_lag_sessions=lag, staleness_sessions=staleness)
