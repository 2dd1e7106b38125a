"""The meta-learner: weights between pools that depend on what is known at the cutoff."""

from dataclasses import replace

import numpy as np
import pytest

from cbi_common.timeseries.combine import EXPERTS, INVERSE_ERROR, NO_CHANGE, Panel, candidate_weights
from ensemble.adapters import lightgbm_weights
from ensemble.domain.pools import RECENT, conditions, losses, pools
from ensemble.meta_learner import META, REFIT_EVERY, meta_weights

FAMILY = {"bull_net": "nets", "calm_tree": "trees", "noise_tree": "trees"}
N, HORIZON = 1500, 5


@pytest.fixture(scope="module")
def market() -> tuple[Panel, np.ndarray]:
    """A net that is right in one regime, a tree that is right in the other, and a tree that knows nothing."""
    rng = np.random.default_rng(5)
    sessions = np.arange(N, dtype=np.int64) * HORIZON
    storm = np.repeat(rng.random(N // 50) < 0.5, 50)
    y = rng.normal(0.0, 0.05, N)
    net = np.where(storm, 0.8 * y, rng.normal(0.0, 0.05, N))
    calm = np.where(storm, rng.normal(0.0, 0.05, N), 0.8 * y)
    said = np.column_stack([np.zeros(N), net, calm, rng.normal(0.0, 0.05, N)])
    said[:100, 1] = np.nan
    y[-1] = np.nan
    chances = np.column_stack([storm, ~storm]).astype(np.float64)
    names = (NO_CHANGE, *FAMILY)
    return Panel(names, said, y, np.full(N, 0.05), sessions, sessions + HORIZON), chances


def learned(panel: Panel, chances: np.ndarray) -> np.ndarray:
    return meta_weights(panel, candidate_weights(panel, {}), FAMILY, chances)[META]


def error(panel: Panel, weights: np.ndarray, rows: slice) -> float:
    return float(np.nanmean(np.abs(panel.blended(weights) - panel.y)[rows]))


def test_weights_are_a_distribution_over_members_that_have_a_forecast(market) -> None:
    panel, chances = market
    weights = learned(panel, chances)
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    assert not weights[np.isnan(panel.forecasts)].any()


def test_it_finds_which_member_is_right_in_which_regime(market) -> None:
    panel, chances = market
    weights, late = learned(panel, chances), slice(1000, N - 1)
    assert error(panel, weights, late) < 0.8 * error(panel, candidate_weights(panel, {})[EXPERTS], late)
    storm = chances[late, 0] > 0.5
    assert weights[late][storm, 1].mean() > 3 * weights[late][~storm, 1].mean()


def test_before_there_is_evidence_it_says_what_the_experts_say(market) -> None:
    panel, chances = market
    early = slice(0, 200)
    np.testing.assert_array_equal(learned(panel, chances)[early], candidate_weights(panel, {})[EXPERTS][early])


@pytest.mark.parametrize("cut", [450, 777, 1201])
def test_nothing_up_to_a_cutoff_depends_on_what_comes_after(market, cut) -> None:
    panel, chances = market
    rng = np.random.default_rng(cut)
    y = np.where(panel.target_sessions > panel.sessions[cut], rng.normal(size=N), panel.y)
    said = panel.forecasts.copy()
    said[cut + 1 :] = rng.normal(size=said[cut + 1 :].shape)
    said[:, 0] = 0.0
    noisy = learned(replace(panel, y=y, forecasts=said), np.where(np.arange(N)[:, None] <= cut, chances, rng.random()))
    np.testing.assert_array_equal(noisy[: cut + 1], learned(panel, chances)[: cut + 1])


def test_a_day_more_moves_no_refit(market) -> None:
    panel, chances = market
    shorter = Panel(panel.names, *(a[:-1] for a in (panel.forecasts, panel.y, panel.sd)), *_days(panel, -1))
    np.testing.assert_array_equal(learned(shorter, chances[:-1]), learned(panel, chances)[:-1])


def test_pools_are_families_that_stand_and_the_experts(market) -> None:
    panel, _ = market
    combinations = candidate_weights(panel, {})
    found = pools(panel, combinations, FAMILY)
    assert found.names == (NO_CHANGE, EXPERTS, "nets", "trees")
    assert np.isnan(found.forecasts[:100, 2]).all()  # the only net had no forecast
    last = found.members[-1, 3]
    inverse = combinations[INVERSE_ERROR][-1]
    np.testing.assert_allclose(last, [0.0, 0.0, *(inverse[2:] / inverse[2:].sum())])
    even = np.full((N, 4), 0.25)
    even[np.isnan(found.forecasts)] = 0.0
    np.testing.assert_allclose(panel.blended(found.blended(even)), np.nansum(even * found.forecasts, axis=1))


def test_what_it_sees_is_what_had_matured(market) -> None:
    panel, chances = market
    found = pools(panel, candidate_weights(panel, {}), FAMILY)
    seen = conditions(panel, found, chances)
    own = losses(panel, found)
    row = 700
    matured = np.flatnonzero(panel.target_sessions <= panel.sessions[row])[-RECENT:]
    np.testing.assert_allclose(seen[row, -1], np.mean(own[matured, 0] - own[matured, 3]))
    np.testing.assert_array_equal(seen[:, :2], chances)


def test_the_gradient_moves_weight_to_the_pool_that_loses_less() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(600, 2))
    small = np.column_stack([np.where(x[:, 0] > 0, 0.2, 1.0), np.where(x[:, 0] > 0, 1.0, 0.2)])
    start = np.full((600, 2), np.log(0.5))
    model = lightgbm_weights.fit(x, small, start, np.ones(600))
    weights = lightgbm_weights.weights(model, np.array([[1.0, 0.0], [-1.0, 0.0]]), start[:2])
    assert weights[0, 0] > 0.8
    assert weights[1, 1] > 0.8
    absent = start.copy()
    absent[:, 1] = -np.inf
    assert lightgbm_weights.weights(model, x, absent)[:, 1].tolist() == [0.0] * 600


def _days(panel: Panel, until: int) -> tuple[np.ndarray, np.ndarray]:
    assert panel.sessions[0] % REFIT_EVERY == 0
    return panel.sessions[:until], panel.target_sessions[:until]


def test_trees_from_their_text_give_the_same_weights_to_the_last_bit(market) -> None:
    panel, chances = market

    def reread(*arrays: np.ndarray):
        return lightgbm_weights.load(lightgbm_weights.dump(lightgbm_weights.fit(*arrays)))

    again = meta_weights(panel, candidate_weights(panel, {}), FAMILY, chances, reread)[META]
    np.testing.assert_array_equal(again, learned(panel, chances))
