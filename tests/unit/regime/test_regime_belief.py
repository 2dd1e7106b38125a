from itertools import product

import numpy as np
import pytest

from cbi_common.timeseries.regimes import CLASSES, UNKNOWN
from regime.domain.belief import Belief, Moves, fit, moves
from regime.domain.transition import ahead, labels_ahead, transition

K = len(CLASSES)


def market(n=800, seed=4):
    rng = np.random.default_rng(seed)
    labels = np.repeat(rng.integers(0, K, n // 40), 40)
    volatility, fear = np.array([0.03, 0.01, 0.015, 0.008])[labels], np.array([36.0, 15, 22, 16])[labels]
    price = 50 * np.exp(np.cumsum(rng.normal(0, volatility)))
    return np.arange(100, 100 + n), price, fear * np.exp(rng.normal(0, 0.05, n)), labels


def density(x, mean, variance):
    return np.exp(-0.5 * (x - mean) ** 2 / variance) / np.sqrt(2 * np.pi * variance)


def test_the_filter_gives_what_enumerating_every_path_gives():
    rng = np.random.default_rng(1)
    step = rng.dirichlet(np.ones(K), K)
    change = np.column_stack([rng.normal(0, 0.01, K), rng.uniform(1e-4, 4e-4, K)])
    fear = np.column_stack([rng.normal(0, 0.05, K), rng.uniform(1e-3, 9e-3, K)])
    model = Belief(step, change, fear, np.array([-0.1, 0.3]))
    seen = Moves(rng.normal(0, 0.02, 5), rng.normal(0, 0.06, 5), rng.normal(0, 0.2, 5))
    seen.fear_change[2] = np.nan
    weight = np.zeros(K)
    for path in product(range(K), repeat=5):
        chance = 1.0
        for t, state in enumerate(path):
            chance *= step[path[t - 1], state] if t else step[:, state].mean()
            chance *= density(seen.change[t], *change[state])
            if t != 2:
                rest = seen.fear_change[t] + 0.1 * seen.fear_before[t] - 0.3 * seen.change[t]
                chance *= density(rest, *fear[state])
        weight[path[-1]] += chance
    np.testing.assert_allclose(model.run(seen)[-1], weight / weight.sum(), rtol=1e-9)


def test_what_comes_later_changes_no_belief():
    sessions, price, fear, labels = market()
    model = fit(moves(sessions, price, fear).until(500), sessions[:500], labels[:500])
    whole = model.run(moves(sessions, price, fear))
    for end in (2, 333, 799):
        part = moves(sessions[:end], price[:end], fear[:end])
        np.testing.assert_array_equal(model.run(part), whole[:end])


def test_it_finds_labels_that_are_in_the_moves():
    sessions, price, fear, labels = market(4000)
    seen = moves(sessions, price, fear)
    model = fit(seen.until(2000), sessions[:2000], labels[:2000])
    assert (model.run(seen)[2000:].argmax(axis=1) == labels[2000:]).mean() > 0.85
    blind = moves(sessions, price, np.full(4000, np.nan))
    without = fit(blind.until(2000), sessions[:2000], labels[:2000])
    assert without.fear is None
    assert (without.run(blind)[2000:].argmax(axis=1) == labels[2000:]).mean() > 0.6


def test_what_is_not_known_tells_nothing():
    sessions, price, fear, labels = market()
    model = fit(moves(sessions, price, fear), sessions, labels)
    nothing = np.full(3, np.nan)
    found = model.run(Moves(nothing, nothing, nothing))
    np.testing.assert_allclose(found[1], found[0] @ model.step)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)


def test_a_class_that_never_occurred_stays_possible_and_unlikely():
    sessions, price, fear, labels = market()
    model = fit(moves(sessions, price, fear), sessions, np.where(labels == 0, 3, labels))
    found = model.run(moves(sessions, price, fear))
    assert 0 < found[:, 0].mean() < 0.1
    assert np.isfinite(found).all()


def test_transitions_are_counted_pair_by_pair():
    rng = np.random.default_rng(2)
    sessions = np.flatnonzero(rng.random(300) < 0.9)
    labels = rng.integers(-1, K, len(sessions))
    at = dict(zip(sessions.tolist(), labels.tolist(), strict=True))
    for h in (1, 5, 21):
        counts = np.full((K, K), 1 / K)
        for session, label in at.items():
            later = at.get(session + h, UNKNOWN)
            if UNKNOWN not in (label, later):
                counts[label, later] += 1
        np.testing.assert_allclose(transition(sessions, labels, h), counts / counts.sum(axis=1, keepdims=True))


def test_labels_ahead_are_those_of_the_session_and_not_of_the_row():
    assert labels_ahead(np.array([1, 2, 5]), np.array([0, 1, 2]), 1).tolist() == [1, UNKNOWN, UNKNOWN]
    assert labels_ahead(np.array([1, 2, 5]), np.array([0, 1, 2]), 3).tolist() == [UNKNOWN, 2, UNKNOWN]


def test_probabilities_ahead_follow_the_chain():
    rng = np.random.default_rng(3)
    chances, step = rng.dirichlet(np.ones(K), 50), rng.dirichlet(np.ones(K), K)
    np.testing.assert_allclose(ahead(chances, step), chances @ step)
    np.testing.assert_array_equal(ahead(chances[:7], step), ahead(chances, step)[:7])


@pytest.mark.parametrize("h", [5, 21])
def test_where_labels_are_a_chain_the_counts_are_its_powers(h):
    rng = np.random.default_rng(5)
    step = 0.9 * np.eye(K) + 0.1 * np.array(
        [[0, 0.3, 0.3, 0.4], [0.2, 0, 0.2, 0.6], [0.4, 0.2, 0, 0.4], [0.3, 0.4, 0.3, 0]]
    )
    luck, thresholds = rng.random(20_000), np.cumsum(step, axis=1)[:, :-1]
    labels = np.zeros(20_000, dtype=np.int64)
    for t in range(1, len(labels)):
        labels[t] = (luck[t] >= thresholds[labels[t - 1]]).sum()
    found = transition(np.arange(20_000), labels, h)
    np.testing.assert_allclose(found, np.linalg.matrix_power(step, h), atol=0.07)
