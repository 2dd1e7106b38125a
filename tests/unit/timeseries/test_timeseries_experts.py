"""Sleeping experts against a loop that starts from nothing at every cutoff, and what they promise."""

from math import exp

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cbi_common.timeseries.experts import expert_weights

Arrays = dict[str, np.ndarray]


def history(n: int = 120, m: int = 4, horizon: int = 21, seed: int = 0, noise: float = 0.05) -> Arrays:
    """No-change and members that know part of the outcome, some of them asleep for a while."""
    rng = np.random.default_rng(seed)
    sessions = np.arange(n, dtype=np.int64) * 5
    y = rng.normal(0.0, 0.05, n)
    said = 0.5 * y[:, None] + rng.normal(0.0, noise, (n, m))
    said[:, 0] = 0.0
    said[: n // 3, -1] = np.nan
    said[rng.random((n, m)) < 0.05] = np.nan
    said[:, 0] = 0.0
    y[sessions + horizon > sessions[-1]] = np.nan
    sd = np.full(n, 0.05)
    sd[:5] = np.nan
    return {"forecasts": said, "y": y, "sd": sd, "sessions": sessions, "target_sessions": sessions + horizon}


def naive(data: Arrays, rate: float, trust: float) -> list[list[float]]:
    said, y, sd = data["forecasts"], data["y"], data["sd"]
    n, m = said.shape
    served: list[list[float]] = []
    for t in range(n):
        lost, independent = [0.0] * m, [0.0] * m
        for i in range(n):
            if data["target_sessions"][i] > data["sessions"][t] or np.isnan(y[i]) or np.isnan(sd[i]):
                continue
            overlap = sum(1 for s in data["sessions"] if data["sessions"][i] <= s < data["target_sessions"][i])
            blend = sum(w * f for w, f in zip(served[i], said[i], strict=True) if not np.isnan(f))
            for j in range(m):
                own = said[i, j] if not np.isnan(said[i, j]) else blend
                lost[j] += (abs(own - y[i]) - abs(y[i])) / sd[i] / max(overlap, 1)
                independent[j] += (not np.isnan(said[i, j])) / max(overlap, 1)
        trusted = [0.0] + [independent[j] / (independent[j] + trust) for j in range(1, m)]
        trusted = [0.0 if np.isnan(said[t, j]) else k for j, k in enumerate(trusted)]
        squares = sum(k * k for k in trusted)
        prior = [k * k / max(trusted) * k * k / squares if squares else 0.0 for k in trusted]
        prior[0] = 1.0 - sum(prior)
        votes = [p * exp(-rate * k) for p, k in zip(prior, lost, strict=True)]
        served.append([v / sum(votes) for v in votes])
    return served


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.sampled_from([5, 63]), st.floats(0.5, 4), st.floats(1, 60))
def test_equals_recomputing_everything_at_every_cutoff(seed: int, horizon: int, rate: float, trust: float) -> None:
    data = history(n=45, horizon=horizon, seed=seed)
    found = expert_weights(**data, rate=rate, trust=trust)
    np.testing.assert_allclose(found, naive(data, rate, trust), rtol=1e-8, atol=1e-12)


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.integers(1, 118))
def test_nothing_up_to_a_cutoff_depends_on_what_comes_after(seed: int, cut: int) -> None:
    data = history(seed=3)
    poisoned = {name: values.copy() for name, values in data.items()}
    rng = np.random.default_rng(seed)
    future = data["target_sessions"] > cut * 5
    poisoned["y"][future] = rng.normal(size=np.count_nonzero(future))
    poisoned["forecasts"][cut + 1 :, 1:] = rng.normal(size=(119 - cut, 3))
    whole, changed = expert_weights(**data), expert_weights(**poisoned)
    assert whole[: cut + 1].tobytes() == changed[: cut + 1].tobytes()


def test_the_right_member_is_found_and_the_wrong_ones_are_left() -> None:
    data = history(n=600, horizon=5, noise=0.2)
    data["forecasts"][:, 1] = 0.6 * np.nan_to_num(data["y"])
    weights = expert_weights(**data)
    assert weights[-1, 1] > 0.99
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    assert (weights >= 0).all()


def test_without_skill_no_change_keeps_most_and_little_is_lost() -> None:
    rng = np.random.default_rng(1)
    lost = []
    for seed in range(20):
        data = history(n=300, horizon=5, seed=seed)
        data["forecasts"][:, 1:] = rng.normal(0, 0.02, (300, 3))
        served = np.sum(expert_weights(**data) * data["forecasts"], axis=1)
        known = np.isfinite(data["y"])
        lost.append(np.abs(served - data["y"])[known].mean() / np.abs(data["y"])[known].mean() - 1)
    assert np.mean(lost) < 0.005


def test_who_sleeps_keeps_its_place() -> None:
    data = history(n=400, horizon=5, noise=0.02)
    awake = expert_weights(**data)[-1]
    data["forecasts"][300:, 1] = np.nan
    data["forecasts"][-1, 1] = 0.01
    woken = expert_weights(**data)[-1]
    assert woken[1] > 0
    assert (awake > 0).all()


def test_two_lucky_outcomes_a_year_ahead_move_little() -> None:
    data = history(n=160, horizon=252, seed=2)
    data["forecasts"][:, 1:] = np.nan
    data["forecasts"][:, 1] = 0.9 * np.nan_to_num(data["y"])
    assert expert_weights(**data)[-1, 1] < 0.45  # of a member that was right to a tenth, in about two outcomes
    near = history(n=160, horizon=5, seed=2)
    near["forecasts"][:, 1] = 0.9 * np.nan_to_num(near["y"])
    assert expert_weights(**near)[-1, 1] > 0.99


def test_members_that_share_a_vote_weigh_as_one() -> None:
    data = history(n=300, m=3, horizon=5)
    data["forecasts"][:, 1:] = 0.3 * np.nan_to_num(data["y"])[:, None]
    alone = {**data, "forecasts": data["forecasts"][:, :2]}
    shared = expert_weights(**data, share=np.tile([1.0, 0.5, 0.5], (300, 1)))
    np.testing.assert_allclose(shared[:, 1:].sum(axis=1), expert_weights(**alone)[:, 1], rtol=1e-9)


def test_a_newcomer_among_members_of_one_opinion_does_not_inherit_what_they_earned() -> None:
    """Eight members say no change and share one vote; the ninth has been there for half of the time."""
    rng = np.random.default_rng(8)
    n = 800
    sessions = np.arange(n, dtype=np.int64) * 5
    y = rng.normal(0.0, 0.05, n)
    said = np.zeros((n, 10))
    said[:, 9] = rng.normal(0.0, 0.05, n)
    said[: n // 2, 9] = np.nan
    share = np.ones((n, 10))
    share[:, :9] = 1.0 / 9.0
    weights = expert_weights(said, y, np.full(n, 0.05), sessions, sessions + 126, share=share, rate=0.0)
    assert weights[-1, 9] < 0.05


def test_a_volatility_of_nothing_teaches_nothing() -> None:
    zero, missing = history(), history()
    zero["sd"][20:30], missing["sd"][20:30] = 0.0, np.nan
    assert expert_weights(**zero).tobytes() == expert_weights(**missing).tobytes()


def test_what_is_learned_by_default() -> None:
    data = history()
    assert expert_weights(**data).tobytes() == expert_weights(**data, rate=2.0, trust=50.0).tobytes()


def test_a_member_is_trusted_by_half_after_as_many_outcomes_as_trust_says() -> None:
    """One member says no change like no-change itself: it loses nothing, so its weight is its trust."""
    n = 52
    sessions = np.arange(n, dtype=np.int64) * 5
    weights = expert_weights(np.zeros((n, 2)), np.zeros(n), np.ones(n), sessions, sessions + 5, trust=50.0)
    np.testing.assert_allclose(weights[:, 1], [t / (t + 50) for t in range(n)])


def test_a_member_alone_in_its_opinion_weighs_as_much_as_two_that_share_one() -> None:
    data = history(n=300, m=4, horizon=5)
    data["forecasts"][:, 1:] = 0.3 * np.nan_to_num(data["y"])[:, None]
    weights = expert_weights(**data, share=np.tile([1.0, 0.5, 0.5, 1.0], (300, 1)))
    assert weights[-1, 3] > 0.1
    np.testing.assert_allclose(weights[:, 3], weights[:, 1] + weights[:, 2], rtol=1e-9)
