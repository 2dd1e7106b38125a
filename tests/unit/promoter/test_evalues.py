"""A challenger that is no better is hardly ever promoted, however often one looks; one that is better soon is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promoter.domain.evalues import DECIDES, LARGEST, STAKES, Pairs, e_value, least_sessions, reversed_pairs

H = 5


def market(n: int, seed: int) -> np.ndarray:
    """Log returns over H sessions of a random walk, (n,)."""
    steps = np.concatenate([[0.0], np.cumsum(np.random.default_rng(seed).normal(0, 0.015, n + H))])
    return steps[H : H + n] - steps[:n]


def ever(challenger: np.ndarray, champion: np.ndarray, actual: np.ndarray) -> float:
    """Highest e-value that somebody sees who looks every fifth day, at outcomes that have matured by then."""
    sessions = np.arange(len(actual))
    seen = []
    for day in range(H, len(actual), 5):
        known = np.where(sessions[:day] + H <= day, actual[:day], np.nan)
        seen.append(e_value(Pairs(sessions[:day], champion[:day], challenger[:day], known), H))
    return max(seen)


def test_nobody_is_promoted_by_luck_more_often_than_promised() -> None:
    found = []
    for seed in range(150):
        actual, rng = market(200, seed), np.random.default_rng([9, seed])
        found.append(ever(rng.standard_t(2, 200) * 0.005, np.zeros(200), actual) >= DECIDES)
    assert np.mean(found) <= 0.05


def test_a_better_challenger_is_promoted_and_its_champion_is_not_kept() -> None:
    actual = market(250, 3)
    challenger = 0.6 * actual + np.random.default_rng(1).normal(0, 0.005, 250)
    pairs = Pairs(np.arange(250), np.zeros(250), challenger, actual)
    assert e_value(pairs, H) >= DECIDES
    assert e_value(reversed_pairs(pairs), H) < 1


def test_who_is_right_where_he_dares_to_say_more_is_promoted_sooner_than_by_equal_stakes() -> None:
    # An eighth of the market can be known, and the forecasts are often small: equal stakes drown in coin tosses.
    ours, equal = [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        known, noise = rng.laplace(0, 0.016, 600), rng.normal(0, 0.04, 600)
        actual = known + noise
        score = np.clip((np.abs(actual) - np.abs(known - actual)) / np.abs(known), -1, 1)
        ours.append(e_value(Pairs(np.arange(600), np.zeros(600), known, actual), H))
        equal.append(np.mean([[np.prod(1 + stake * score[stream::H]) for stake in STAKES] for stream in range(H)]))
    assert all(mine > other for mine, other in zip(ours, equal, strict=True))
    assert np.median(equal) < DECIDES / 2
    assert np.median(ours) > 2 * DECIDES


def test_before_anything_has_matured_nothing_speaks_for_the_challenger() -> None:
    nothing = Pairs(np.empty(0, dtype=np.int64), np.empty(0), np.empty(0), np.empty(0))
    assert e_value(nothing, H) == 1.0
    waiting = Pairs(np.arange(3), np.zeros(3), np.full(3, 0.01), np.full(3, np.nan))
    assert e_value(waiting, H) < 1.0  # open bets count as lost


def test_equal_forecasts_stake_nothing() -> None:
    same = np.full(20, 0.01)
    assert e_value(Pairs(np.arange(20), same, same, market(20, 1)), H) == 1.0


@settings(max_examples=60)
@given(st.lists(st.tuples(st.floats(-0.2, 0.2), st.floats(-0.2, 0.2), st.floats(-0.3, 0.3)), min_size=1, max_size=30))
def test_it_is_the_mean_over_streams_and_stakes_of_a_naive_loop(rows: list[tuple[float, float, float]]) -> None:
    a, b, y = (np.array(column) for column in zip(*rows, strict=True))
    capitals = []
    for stream in range(H):
        for stake in STAKES:
            capital, apart = 1.0, []
            for session in range(len(rows)):
                if session % H == stream and a[session] != b[session]:
                    apart.append(abs(a[session] - b[session]))
                    gain = abs(a[session] - y[session]) - abs(b[session] - y[session])
                    share = min(LARGEST, stake * apart[-1] / (sum(apart) / len(apart)))
                    capital *= 1 + share * min(max(gain / apart[-1], -1), 1)
            capitals.append(capital)
    assert e_value(Pairs(np.arange(len(rows)), a, b, y), H) == pytest.approx(np.mean(capitals))


@pytest.mark.parametrize("horizon", [1, 5, 21, 63])
def test_a_horizon_says_how_long_the_best_takes(horizon: int) -> None:
    """Day by day: every forecast comes true, the newest are not known yet, and somebody looks every evening."""

    def seen(n: int) -> float:
        sessions = np.arange(100, 100 + n)
        actual = np.where(sessions + horizon < 100 + n, 0.02, np.nan)
        return e_value(Pairs(sessions, np.zeros(n), np.full(n, 0.02), actual), horizon)

    n = least_sessions(horizon)
    assert seen(n) >= DECIDES
    assert max(seen(earlier) for earlier in range(1, n)) < DECIDES
    assert least_sessions(252) > 10 * 252
