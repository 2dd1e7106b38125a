"""Benchmark rows that cannot be honest are refused and counted; the rest is compared on common rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promoter.domain.benchmark import LATE, BenchmarkRows, common, refuse

DAYS = np.array(["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05"], dtype="datetime64[D]")
TARGETS = DAYS + np.timedelta64(7, "D")


def rows(**changes) -> BenchmarkRows:
    sessions = np.arange(4, dtype=np.int64)
    good = {"sessions": sessions, "target_sessions": sessions + 5, "predicted": np.full(4, 50.0), "made": DAYS}
    return BenchmarkRows(**{**good, **changes})


def test_honest_rows_are_kept() -> None:
    kept, refused = refuse(rows(), 5, TARGETS)
    assert kept.all()
    assert refused == {}


@pytest.mark.parametrize(
    ("changes", "reason", "lost"),
    [
        ({"made": np.where(np.arange(4) == 2, TARGETS, DAYS)}, LATE, 1),
        ({"target_sessions": np.array([5, 6, 7, 9])}, "target is not one horizon after the cutoff", 1),
        ({"predicted": np.array([50.0, np.nan, 0.0, -1.0])}, "not a positive price", 3),
        ({"sessions": np.array([0, 1, 1, 3]), "target_sessions": np.array([5, 6, 6, 8])}, "more than one", 2),
    ],
)
def test_each_kind_of_bad_row_is_refused_and_counted(changes, reason, lost) -> None:
    kept, refused = refuse(rows(**changes), 5, TARGETS)
    assert (~kept).sum() == lost
    ((why, count),) = refused.items()
    assert why.startswith(reason)
    assert count == lost


def test_a_row_made_on_the_day_before_its_target_is_no_hindsight() -> None:
    kept, _ = refuse(rows(made=TARGETS - np.timedelta64(1, "D")), 5, TARGETS)
    assert kept.all()


@given(st.sets(st.integers(0, 60)), st.sets(st.integers(0, 60)))
def test_common_rows_are_the_sessions_that_both_have(a: set[int], b: set[int]) -> None:
    mine, theirs = (np.array(sorted(found), dtype=np.int64) for found in (a, b))
    i, j = common(mine, theirs)
    assert mine[i].tolist() == theirs[j].tolist() == sorted(a & b)
