from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cbi_common.timeseries.regimes import CLASSES, UNKNOWN
from regime.domain.belief import Moves, moves
from regime.domain.jump_model import PENALTY, cheapest_path, fit, inputs, path_values

K = len(CLASSES)


def cost(losses, path, penalty):
    return losses[np.arange(len(path)), path].sum() + penalty * np.count_nonzero(np.diff(path))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 3))
def test_the_path_is_the_cheapest_of_all(seed, penalty):
    losses = np.random.default_rng(seed).exponential(size=(6, 3))
    found = cheapest_path(losses, penalty)
    least = min(cost(losses, np.array(path), penalty) for path in product(range(3), repeat=6))
    assert cost(losses, found, penalty) == pytest.approx(least)
    assert path_values(losses, penalty)[-1].min() == pytest.approx(least)


def test_no_jump_is_worth_any_price_and_a_free_one_follows_every_day():
    losses = np.random.default_rng(0).exponential(size=(50, 3))
    assert len(set(cheapest_path(losses, 1e9))) == 1
    np.testing.assert_array_equal(cheapest_path(losses, 0.0), losses.argmin(axis=1))


def clusters(n=2400, seed=7):
    rng = np.random.default_rng(seed)
    labels = np.repeat(rng.integers(0, K, n // 200), 200)
    places = np.array([[-1.0, 4, 4], [2, 1, 0], [-2, 2, 1], [0, 0, 0]])
    return places[labels] + rng.normal(0, 0.5, (n, 3)), labels


def test_it_finds_the_clusters_from_half_of_the_labels_and_names_them():
    x, labels = clusters()
    known = np.where(np.arange(len(labels)) % 2, labels, UNKNOWN)
    model = fit(x, known)
    assert (model.online(x) == labels).mean() > 0.95
    assert sorted(model.names.tolist()) == list(range(K))


def test_states_are_ordered_by_volatility():
    model = fit(*clusters())
    assert (np.diff(model.centres[:, 1]) <= 0).all()


def test_equal_arrays_give_an_equal_model():
    one, other = fit(*clusters()), fit(*clusters())
    for name, values in vars(one).items():
        np.testing.assert_array_equal(values, vars(other)[name])


def test_online_states_do_not_see_the_future():
    x, labels = clusters()
    model = fit(x[:1600], labels[:1600])
    whole = model.online(x)
    for end in (1, 601, 800, 2399):
        np.testing.assert_array_equal(model.online(x[:end]), whole[:end])


def test_one_odd_day_is_no_regime_and_a_change_is_seen_late():
    x, labels = clusters()
    model = fit(x, labels)
    calm, wild = (np.repeat([x[labels == c].mean(axis=0)], 60, axis=0) for c in (3, 0))
    day = np.vstack([calm, wild[:1], calm])
    assert set(model.online(day)) == {3}
    turn = model.online(np.vstack([calm, wild]))
    assert (turn[:60] == 3).all()
    assert turn[60] == 3
    assert (turn[60 + int(PENALTY) :] == 0).all()


def test_an_index_of_fear_that_is_not_known_costs_nothing():
    x, labels = clusters()
    x[:, 2] = np.nan
    model = fit(x, labels)
    assert np.isfinite(model.centres).all()
    assert (model.online(x) == labels).mean() > 0.9


def test_inputs_are_weighted_means_of_what_was_known():
    rng = np.random.default_rng(2)
    change = rng.normal(0, 0.02, 80)
    change[[0, 50]] = np.nan
    found = inputs(Moves(change, np.zeros(80), np.full(80, 3.0)))
    weights = np.where(np.isnan(change[:70]), 0, 0.5 ** (np.arange(69, -1, -1.0) / 21))
    # A gap takes no weight off what came before it.
    weights[:50] *= 2 ** (1 / 21)
    assert found[69, 0] == pytest.approx(np.nansum(weights * change[:70]) / weights.sum())
    assert found[69, 1] == pytest.approx(0.5 * np.log(np.nansum(weights * change[:70] ** 2) / weights.sum()))
    assert np.isnan(found[:21, :2]).all()
    assert np.isfinite(found[21:]).all()


def test_inputs_do_not_see_the_future():
    rng = np.random.default_rng(3)
    sessions, price = np.arange(300), 50 * np.exp(np.cumsum(rng.normal(0, 0.01, 300)))
    fear = rng.uniform(10, 40, 300)
    whole = inputs(moves(sessions, price, fear))
    for end in (30, 299):
        np.testing.assert_array_equal(inputs(moves(sessions[:end], price[:end], fear[:end])), whole[:end])
