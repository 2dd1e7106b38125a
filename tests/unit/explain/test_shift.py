"""Forecasts that come to rest on other drivers are noticed; those that are merely restless are not."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from cbi_common.core.horizon import Horizon
from cbi_common.events.explanation import ExplanationReady, HorizonExplanation, ImportanceShift
from explain.domain.past import Past
from explain.domain.ranks import rank_correlation
from explain.domain.shift import LEAST_BEFORE, RECENT, UNLIKE, shift
from explain.handlers import _drifts

GROUPS = ("palm", "energy", "dollar", "crush", "weather")
N = 88


def past(sizes: np.ndarray, n: int = N, seed: int = 1) -> Past:
    """Contributions of n cutoffs, of the given mean sizes (5,) or (n, 5)."""
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(n, len(GROUPS)))
    noise = np.random.default_rng(seed + 1).uniform(0.8, 1.2, size=(n, len(GROUPS)))
    table = signs * noise * sizes
    return Past(table.sum(axis=1), tuple((group, f"{group}_x") for group in GROUPS), table)


def turned(at: int, n: int = N) -> np.ndarray:
    sizes = np.tile(np.arange(1.0, 6.0), (n, 1))
    sizes[at:] = sizes[at:, ::-1]
    return sizes


def test_the_same_order_as_ever_is_no_drift() -> None:
    found = shift(past(np.arange(1.0, 6.0)))
    assert found is not None
    assert (found.correlation, found.lowest) == (pytest.approx(1.0), pytest.approx(1.0))
    assert not found.drifted
    assert next(iter(found.recent)) == "weather"
    assert sum(found.recent.values()) == pytest.approx(1.0)


def test_an_order_turned_round_in_the_last_year_is_a_drift() -> None:
    found = shift(past(turned(N - RECENT)))
    assert found is not None
    assert found.correlation == pytest.approx(-1.0)
    assert found.drifted


def test_what_turned_round_before_is_no_news() -> None:
    sizes = turned(40)
    sizes[60:] = sizes[60:, ::-1]
    found = shift(past(sizes))
    assert found is not None
    assert found.lowest is not None
    assert found.lowest < UNLIKE
    assert not found.drifted


@pytest.mark.parametrize("n", [LEAST_BEFORE + RECENT - 1, 2 * RECENT])
def test_too_short_a_past_says_nothing(n: int) -> None:
    assert shift(past(turned(n - RECENT, n), n)) is None


def test_a_past_with_one_window_has_no_lowest_and_no_drift() -> None:
    n = LEAST_BEFORE + RECENT
    found = shift(past(turned(n - RECENT, n), n))
    assert found is not None
    assert (found.lowest, found.drifted) == (None, False)


def test_two_groups_have_no_order_to_speak_of() -> None:
    whole = past(np.arange(1.0, 6.0))
    assert shift(Past(whole.moves, whole.sources[:2], whole.contributions[:, :2])) is None


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=3, max_size=30))
def test_the_rank_correlation_is_scipys(pairs: list[tuple[int, int]]) -> None:
    a, b = np.array(pairs, dtype=np.float64).T
    found = rank_correlation(a, b)
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        assert found is None
    else:
        assert found == pytest.approx(float(spearmanr(a, b).statistic), abs=1e-12)


def test_only_a_horizon_that_drifted_is_told_with_its_run() -> None:
    told = ImportanceShift(
        correlation=-0.4, lowest=0.2, recent={"palm": 0.7, "energy": 0.3}, since=date(2024, 5, 1), drifted=True
    )
    calm = told.model_copy(update={"drifted": False})
    plain = HorizonExplanation(baseline=1.0, forecast=1.0, groups={}, drivers={}, residual=0.0)
    explained = ExplanationReady(
        market="zl",
        run_id="r1",
        as_of=date(2025, 5, 16),
        explanations={
            Horizon.W1: plain.model_copy(update={"shift": told}),
            Horizon.M1: plain.model_copy(update={"shift": calm}),
            Horizon.M3: plain,
        },
    )
    (drift,) = _drifts(explained)
    assert (drift.data.kind, drift.data.action, drift.data.horizon) == ("importance", "alert", Horizon.W1)
    assert (drift.data.run_id, drift.data.since) == ("r1", date(2024, 5, 1))
    assert "palm and energy" in drift.data.what
