"""The competition of the combinations."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cbi_common.timeseries.blend import earned
from cbi_common.timeseries.combine import (
    BEST,
    EXPERTS,
    INVERSE_ERROR,
    MEAN,
    NO_CHANGE,
    SHRUNK,
    TILTED,
    TRIMMED,
    Panel,
    candidate_weights,
    combine,
    compete,
)
from cbi_common.timeseries.experts import expert_weights


def panel(n: int = 400, horizon: int = 21, seed: int = 0, knows: float = 0.5) -> Panel:
    rng = np.random.default_rng(seed)
    sessions = np.arange(n, dtype=np.int64) * 5
    y = rng.normal(0.0, 0.05, n)
    said = knows * y[:, None] + rng.normal(0.0, 0.02, (n, 5))
    said[:, 0] = 0.0
    said[: n // 4, 4] = np.nan
    y[sessions + horizon > sessions[-1]] = np.nan
    names = (NO_CHANGE, "a", "b", "c", "d")
    return Panel(names, said, y, np.full(n, 0.05), sessions, sessions + horizon)


def test_every_combination_is_a_distribution_over_members_that_have_a_forecast() -> None:
    data = panel()
    found = candidate_weights(data, {"b": np.full(400, 0.7)})
    assert set(found) == {EXPERTS, NO_CHANGE, MEAN, TRIMMED, INVERSE_ERROR, SHRUNK, TILTED, BEST}
    for name, weights in found.items():
        assert (weights >= 0).all(), name
        np.testing.assert_allclose(weights.sum(axis=1), 1.0, err_msg=name)
        assert not weights[np.isnan(data.forecasts)].any(), name


def test_what_is_served_is_the_forecast_of_the_combination_that_serves() -> None:
    served = combine(panel(), {})
    for i, name in enumerate(served.combiner):
        assert served.y_hat[i] == served.candidates[name][i]
    np.testing.assert_allclose(served.weights.sum(axis=1), 1.0)


def test_the_experts_serve_until_odds_of_ten_to_one_are_on_another() -> None:
    data = panel(n=600, horizon=5)
    served = combine(data, {})
    names = list(served.candidates)
    taught = np.isfinite(data.y)
    for i in (100, 300, 599):
        known = (data.target_sessions <= data.sessions[i]) & taught
        lost = {n: np.sum(np.abs(served.candidates[n] - data.y)[known] / data.sd[known]) for n in names}
        ahead = {n: lost[EXPERTS] - lost[n] for n in names if n not in (EXPERTS, BEST)}
        best = max(ahead, key=lambda n: ahead[n])
        assert served.combiner[i] == (best if ahead[best] > np.log(10) / 2 else EXPERTS)


def test_the_best_member_so_far_is_a_yardstick_and_never_serves() -> None:
    data = panel(n=600, horizon=5)
    weights = candidate_weights(data, {})
    clear = replace(data, forecasts=np.column_stack([np.zeros(600), np.nan_to_num(data.y), data.forecasts[:, 2:]]))
    best = candidate_weights(clear, {})[BEST]
    assert set(best.sum(axis=1)) == {1.0}
    assert best[-1].tolist() == [0.0, 1.0, 0.0, 0.0, 0.0]
    perfect = weights[BEST] * 0.0
    perfect[:, 1] = 1.0
    assert BEST not in compete(clear, {**weights, BEST: perfect}).combiner
    assert set(compete(clear, {**weights, "learned": perfect}).combiner[-100:]) == {"learned"}


def test_noise_is_served_as_no_change_and_knowledge_is_not() -> None:
    noise = combine(panel(n=800, knows=0.0), {})
    assert np.abs(noise.y_hat).mean() < 0.002
    wise = combine(panel(n=800), {})
    known = np.isfinite(panel(n=800).y)
    assert np.corrcoef(wise.y_hat[known][200:], panel(n=800).y[known][200:])[0, 1] > 0.8


def test_the_trimmed_mean_leaves_the_outer_ones_out() -> None:
    data = panel()
    weights = candidate_weights(data, {})[TRIMMED]
    said = np.where(weights[-1] > 0, data.forecasts[-1], np.nan)
    assert (weights[-1] > 0).sum() == 3  # five stand, one goes on either side
    assert np.nanmin(said) > np.min(data.forecasts[-1])
    assert np.nanmax(said) < np.max(data.forecasts[-1])


def test_a_specialist_weighs_more_when_its_regime_is_there() -> None:
    probability = np.where(np.arange(400) % 2 == 0, 1.0, 0.0)
    data = panel()
    found = candidate_weights(data, {"b": probability, "nobody": probability})
    plain, tilted = found[INVERSE_ERROR], found[TILTED]
    assert tilted[-2, 2] > plain[-2, 2]  # an even row
    np.testing.assert_allclose(tilted[-1], plain[-1])
    unknown = candidate_weights(data, {"b": np.full(400, np.nan)})[TILTED]
    np.testing.assert_allclose(unknown, plain)


def test_shrinkage_follows_the_slope_of_actual_on_forecast() -> None:
    loud = panel(n=2000, horizon=5)
    double = replace(loud, forecasts=4.0 * loud.forecasts)  # says twice as much as happens
    weights = candidate_weights(double, {})
    if weights[INVERSE_ERROR][-1, 0] < 1.0:
        assert weights[SHRUNK][-1, 0] > weights[INVERSE_ERROR][-1, 0]
    honest = candidate_weights(loud, {})
    assert honest[SHRUNK][-1, 0] == pytest.approx(honest[INVERSE_ERROR][-1, 0], abs=0.05)


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.integers(1, 198))
def test_nothing_up_to_a_cutoff_depends_on_what_comes_after(seed: int, cut: int) -> None:
    data = panel(n=200)
    rng = np.random.default_rng(seed)
    future = data.target_sessions > cut * 5
    y = np.where(future, rng.normal(size=200), data.y)
    said = data.forecasts.copy()
    said[cut + 1 :, 1:] = rng.normal(size=(199 - cut, 4))
    whole, changed = combine(data, {}), combine(replace(data, y=y, forecasts=said), {})
    assert whole.combiner[: cut + 1] == changed.combiner[: cut + 1]
    assert whole.weights[: cut + 1].tobytes() == changed.weights[: cut + 1].tobytes()


def uneven(n: int = 90, seed: int = 5) -> Panel:
    """Members that come and go, volatility that changes and is missing now and then, outcomes with holes."""
    rng = np.random.default_rng(seed)
    data = panel(n=n, horizon=21, seed=seed, knows=0.8)
    said = np.where(rng.random((n, 5)) < 0.1, np.nan, data.forecasts * np.array([1, 1, 0.6, 1.4, 1.2]))
    said[:, 0] = 0.0
    sd = np.exp(rng.normal(-3, 0.5, n))
    sd[[7, 40]] = np.nan
    y = data.y.copy()
    y[[11, 30]] = np.nan
    return replace(data, forecasts=said, sd=sd, y=y)


def test_means_equal_a_naive_loop() -> None:
    data = uneven(n=160)
    found = earned(data.forecasts, data.y, data.sessions, data.target_sessions)
    weights = candidate_weights(data, {})
    assert {1, 5} <= set(found.standing.sum(axis=1).tolist())
    for t in range(160):
        order = sorted((float(data.forecasts[t, j]), j) for j in range(5) if found.standing[t, j])
        cut = int(0.2 * len(order))
        for name, counted in ((MEAN, order), (TRIMMED, order[cut : len(order) - cut])):
            votes = [found.votes[t, j] if j in {j for _, j in counted} else 0.0 for j in range(5)]
            expected = [v / sum(votes) for v in votes] if order else [1.0, 0, 0, 0, 0]
            np.testing.assert_allclose(weights[name][t], expected, rtol=1e-12)
    assert weights[NO_CHANGE].tolist() == [[1.0, 0, 0, 0, 0]] * 160


def test_shrinkage_equals_a_ridge_on_what_had_matured() -> None:
    data = uneven(n=160)
    weights = candidate_weights(data, {})
    inverse = weights[INVERSE_ERROR]
    forecast = np.sum(inverse * np.nan_to_num(data.forecasts), axis=1)
    slopes = []
    for t in range(160):
        product = square = 0.0
        for i in range(160):
            if data.target_sessions[i] <= data.sessions[t] and np.isfinite(data.y[i]) and np.isfinite(data.sd[i]):
                overlap = sum(1 for s in data.sessions if data.sessions[i] <= s < data.target_sessions[i])
                product += forecast[i] * data.y[i] / data.sd[i] ** 2 / overlap
                square += forecast[i] ** 2 / data.sd[i] ** 2 / overlap
        slopes.append(min(max(product / (square + 4.0), 0.0), 1.0))
        expected = inverse[t] * slopes[-1] + np.array([1.0 - slopes[-1], 0, 0, 0, 0])
        np.testing.assert_allclose(weights[SHRUNK][t], expected, rtol=1e-9, atol=1e-12)
    assert 0.3 < max(slopes) < 1.0


def test_a_specialist_has_up_to_four_times_its_votes() -> None:
    data = uneven(n=160)
    probability = np.linspace(0, 1, 160)
    found = candidate_weights(data, {"b": probability, "nobody": probability})
    votes = found[INVERSE_ERROR] * np.column_stack([np.ones(160)] * 2 + [1 + 3 * probability] + [np.ones(160)] * 2)
    np.testing.assert_allclose(found[TILTED], votes / votes.sum(axis=1, keepdims=True), rtol=1e-12)
    assert found[TILTED][-1, 2] > 0


def test_the_competition_counts_losses_in_standard_deviations_and_per_independent_outcome() -> None:
    """Two against the experts; what each lost at every cutoff is added up again by hand."""
    data = uneven(n=150, seed=2)
    weights = {name: np.zeros((150, 5)) for name in ("a", EXPERTS, "b", BEST)}
    weights["a"][:, 1] = weights[EXPERTS][:, 0] = weights["b"][:, 2] = weights[BEST][:, 4] = 1.0
    served = compete(data, weights)
    assert list(served.candidates) == ["a", EXPERTS, "b", BEST]
    winners = set()
    for t in range(150):
        lost = dict.fromkeys(("a", EXPERTS, "b"), 0.0)
        for i in range(150):
            if data.target_sessions[i] <= data.sessions[t] and np.isfinite(data.y[i]) and np.isfinite(data.sd[i]):
                overlap = sum(1 for s in data.sessions if data.sessions[i] <= s < data.target_sessions[i])
                for name in lost:
                    lost[name] += abs(served.candidates[name][i] - data.y[i]) / data.sd[i] / overlap
        lost[EXPERTS] -= np.log(10) / 2
        winner = min(lost, key=lambda name: lost[name])
        winners.add(winner)
        assert served.combiner[t] == winner
        assert served.weights[t].tolist() == weights[winner][t].tolist()
        assert served.matured[t] == sum(1 for target in data.target_sessions if target <= data.sessions[t])
    assert winners == {"a", EXPERTS, "b"} or winners == {"a", EXPERTS}


def test_members_that_err_alike_share_a_vote_in_the_means_and_among_the_experts() -> None:
    data = panel(knows=0.8)
    said = data.forecasts.copy()
    said[:, 3] = said[:, 2]
    data = replace(data, forecasts=said)
    found = earned(data.forecasts, data.y, data.sessions, data.target_sessions)
    assert found.votes[-1].tolist() == [1.0, 1.0, 0.5, 0.5, 1.0]
    weights = candidate_weights(data, {})
    # No-change stands beside the four: it is not worse than itself.
    np.testing.assert_allclose(weights[MEAN][-1], [0.25, 0.25, 0.125, 0.125, 0.25])
    rows = (data.forecasts, data.y, data.sd, data.sessions, data.target_sessions)
    np.testing.assert_array_equal(weights[EXPERTS], expert_weights(*rows, share=found.votes))
    assert np.abs(weights[EXPERTS] - expert_weights(*rows)).max() > 0.001
