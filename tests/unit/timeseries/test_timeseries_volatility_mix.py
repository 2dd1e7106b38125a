"""The vote of volatility forecasts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cbi_common.timeseries.losses import qlike_losses
from cbi_common.timeseries.volatility_mix import mix


def history(n: int = 200, horizon: int = 21, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    sessions = np.arange(n, dtype=np.int64) * 5
    truth = np.exp(rng.normal(-3, 0.4, n))
    realised = truth**2 * rng.chisquare(20, n) / 20
    realised[sessions + horizon > sessions[-1]] = np.nan
    candidates = truth[:, None] * np.exp(rng.normal(0, [0.3, 0.05, 0.6], (n, 3)))
    candidates[:60, 1] = np.nan
    return {
        "candidates": candidates,
        "realised": realised,
        "sessions": sessions,
        "target_sessions": sessions + horizon,
    }


def test_equals_recomputing_everything_at_every_cutoff() -> None:
    data = history(n=90)
    found = mix(**data, rate=0.7)
    for t in range(90):
        lost = np.zeros(3)
        for i in range(90):
            if data["target_sessions"][i] > data["sessions"][t] or np.isnan(data["realised"][i]):
                continue
            overlap = sum(1 for s in data["sessions"] if data["sessions"][i] <= s < data["target_sessions"][i])
            losses = qlike_losses(data["candidates"][i] ** 2, np.full(3, data["realised"][i]))
            lost += np.nan_to_num(losses - losses[0]) / overlap
        votes = np.where(np.isnan(data["candidates"][t]), 0.0, np.exp(-0.7 * lost))
        np.testing.assert_allclose(found.weights[t], votes / votes.sum(), rtol=1e-9)
        logs = np.nan_to_num(np.log(data["candidates"][t]))
        assert found.sd[t] == pytest.approx(np.exp(logs @ votes / votes.sum()))


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.integers(1, 198))
def test_nothing_up_to_a_cutoff_depends_on_what_comes_after(seed: int, cut: int) -> None:
    data = history()
    poisoned = {name: values.copy() for name, values in data.items()}
    rng = np.random.default_rng(seed)
    future = data["target_sessions"] > cut * 5
    poisoned["realised"][future] = rng.exponential(size=np.count_nonzero(future))
    poisoned["candidates"][cut + 1 :] = rng.exponential(size=(199 - cut, 3))
    whole, changed = mix(**data), mix(**poisoned)
    assert whole.sd[: cut + 1].tobytes() == changed.sd[: cut + 1].tobytes()


def test_the_better_one_wins_the_vote_and_the_vote_beats_the_yardstick() -> None:
    data = history(n=3000, horizon=5)
    found = mix(**data)
    assert found.weights[-1, 1] > 0.9
    known = ~np.isnan(data["realised"])
    own, yardstick = (
        qlike_losses(sd[known] ** 2, data["realised"][known]).mean() for sd in (found.sd, data["candidates"][:, 0])
    )
    assert own < yardstick


def test_the_sd_is_between_the_candidates_and_absent_without_the_yardstick() -> None:
    data = history()
    data["candidates"][100, 0] = np.nan
    found = mix(**data)
    assert np.isnan(found.sd[100])
    rows = ~np.isnan(found.sd)
    assert (found.sd[rows] <= np.nanmax(data["candidates"][rows], axis=1) * (1 + 1e-12)).all()
    assert (found.sd[rows] >= np.nanmin(data["candidates"][rows], axis=1) * (1 - 1e-12)).all()


def test_a_day_on_which_nothing_moved_teaches_nothing() -> None:
    data = history()
    still = {**data, "realised": np.where(np.arange(200) == 50, 0.0, data["realised"])}
    unknown = {**data, "realised": np.where(np.arange(200) == 50, np.nan, data["realised"])}
    np.testing.assert_array_equal(mix(**still).weights, mix(**unknown).weights)


@pytest.mark.parametrize("column", [0, 1])
def test_a_volatility_of_nothing_is_none(column: int) -> None:
    zero, missing = history(), history()
    zero["candidates"][[70, 120], column] = 0.0
    missing["candidates"][[70, 120], column] = np.nan
    one, other = mix(**zero), mix(**missing)
    np.testing.assert_array_equal(one.sd, other.sd)
    np.testing.assert_array_equal(one.weights, other.weights)


def test_without_the_yardstick_nobody_has_a_vote() -> None:
    data = history()
    data["candidates"][100, 0] = np.nan
    found = mix(**data)
    assert found.weights[100].tolist() == [0.0, 0.0, 0.0]
    np.testing.assert_allclose(np.delete(found.weights, 100, axis=0).sum(axis=1), 1.0)


def test_the_vote_learns_slowly_by_default() -> None:
    data = history()
    found, named = mix(**data), mix(**data, rate=0.3)
    assert found.weights.tobytes() == named.weights.tobytes()
    even = mix(**data, rate=0.0).weights
    np.testing.assert_allclose(even[-1], [1 / 3] * 3)
