from dataclasses import dataclass

import numpy as np
import pytest

from cbi_common.core.horizon import Horizon
from cbi_common.events.base import LakeRef
from cbi_common.events.forecast import LiveMember
from cbi_common.testing.story import unscored
from cbi_common.timeseries.dataset import Dataset
from promoter.domain.evidence import (
    best_member,
    least_refits,
    purge_problems,
    split_problems,
    yearly_r2,
)


def prices(n=40, seed=0):
    rng = np.random.default_rng(seed)
    actual = rng.uniform(40, 60, n)
    return (
        np.array([2020] * 12 + [2021] * 11 + [2022] * (n - 23)),
        actual,
        actual + rng.normal(0, 1, n),
        np.full(n, 50.0),
    )


def test_years_with_enough_cutoffs_against_a_naive_loop():
    years, actual, forecast, no_change = prices()
    found = yearly_r2(years, actual, forecast, no_change)
    assert [(y.year, y.n) for y in found] == [(2020, 12), (2022, 17)]
    for year in found:
        rows = [i for i in range(40) if years[i] == year.year]
        mean = sum(actual[i] for i in rows) / len(rows)
        spread = sum((actual[i] - mean) ** 2 for i in rows)
        assert year.r2 == pytest.approx(1 - sum((forecast[i] - actual[i]) ** 2 for i in rows) / spread)
        assert year.r2_no_change == pytest.approx(1 - sum((50 - actual[i]) ** 2 for i in rows) / spread)


def test_a_year_without_movement_has_no_r2():
    flat = np.full(12, 50.0)
    assert yearly_r2(np.full(12, 2020), flat, flat, flat) == ()


def table(**changes):
    sessions = np.arange(100, 200, 5)
    base = {
        "sessions": sessions,
        "target_sessions": sessions + 5,
        "refit_sessions": sessions // 21 * 21,
        "y": np.where(sessions + 5 <= 190, 0.01, np.nan),
    }
    return {**base, **{name: change(base[name].copy()) for name, change in changes.items()}}


def put(row, value):
    def change(values):
        values[row] = value
        return values

    return change


def test_a_clean_table_has_no_problems():
    assert purge_problems(**table(), horizon=5, as_of_session=195) == ()


@pytest.mark.parametrize(
    ("changes", "as_of", "problem"),
    [
        ({"target_sessions": put(3, 121)}, 195, "target is not one horizon after the cutoff in 1 rows"),
        ({"refit_sessions": put(0, 126)}, 195, "refit after the cutoff it serves in 1 rows"),
        ({}, 190, "cutoff after as_of in 1 rows"),
        ({"y": put(-1, 0.02)}, 195, "outcome filled before its target date in 1 rows"),
        ({"sessions": put(1, 100), "target_sessions": put(1, 105)}, 195, "cutoffs out of order or twice in 1 rows"),
    ],
)
def test_each_leak_is_found(changes, as_of, problem):
    assert problem in purge_problems(**table(**changes), horizon=5, as_of_session=as_of)


def test_least_refitted_member_with_a_weight():
    refits = {"lgbm": 12, "dense": 5, "ets": 60, "no_change": 1}
    assert least_refits({"lgbm": 0.5, "dense": 0.0, "ets": 0.2, "no_change": 0.3}, refits) == ("lgbm", 12)
    assert least_refits({"lgbm": 0.0, "no_change": 1.0}, refits) is None


def test_of_two_as_seldom_refitted_the_first_by_name_is_told():
    assert least_refits({"b": 0.5, "a": 0.4, "unknown": 0.1}, {"b": 7, "a": 7}) == ("a", 7)


def test_no_scored_member_is_no_best_member():
    assert best_member({}) is None
    assert best_member({"new": scored(None)}) is None


def test_the_best_member_has_the_highest_skill():
    assert best_member({"a": scored(-0.2), "b": scored(0.1), "c": scored(0.02), "new": scored(None)}) == "b"


def scored(skill):
    return LiveMember(
        weight=0.5, y_hat=0.0, family="trees", learner="lightgbm", dataset="full", artifact=None,
        predictions=LakeRef(key="predictions/x", sha256="0" * 64, size_bytes=1),
        metrics=unscored(n=9, n_effective=9.0, skill=skill),
    )  # fmt: skip


@dataclass(frozen=True)
class Ahead(Dataset):
    """Looks ``rows`` sessions further than it is asked to, or knows outcomes ``known`` sessions too early."""

    rows: int = 0
    known: int = 0

    def until(self, session):
        return super().until(session + self.rows)

    def targets(self, horizon):
        last = self.sessions[-1] if len(self.sessions) else 0
        early = self.sessions + horizon.sessions <= last + self.known
        return np.where(early, 0.01, np.nan)


def ahead(n=60, **leak):
    sessions = np.arange(n, dtype=np.int64)
    dates = np.datetime64("2024-01-01") + sessions
    return Ahead(sessions, dates, np.linspace(40, 60, n), np.zeros((n, 1)), ("x",), **leak)


def test_a_split_that_keeps_to_the_past_has_no_problems():
    assert split_problems(ahead(), np.array([0, 3, 21, 42, 59]), Horizon.W1) == ()
    assert split_problems(ahead(), np.array([], dtype=np.int64), Horizon.W1) == ()
    assert split_problems(ahead(), np.array([-5]), Horizon.W1) == ()  # before the first row there is nothing to see


def test_rows_from_after_a_refit_are_told():
    assert split_problems(ahead(rows=1), np.array([21, 42]), Horizon.W1) == (
        "the refit of session 21 sees rows from after it",
        "the refit of session 21 learns an outcome of session 22",
        "the refit of session 42 sees rows from after it",
        "the refit of session 42 learns an outcome of session 43",
    )


def test_an_outcome_known_too_early_is_told():
    assert split_problems(ahead(known=2), np.array([21]), Horizon.W1) == (
        "the refit of session 21 learns an outcome of session 23",
    )
