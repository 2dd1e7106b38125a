"""From when on a refit may use a column: the naive answer for every session, and monotone."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ingest.domain import knowledge
from ingest.domain.knowledge import MIN_KNOWN, Knowledge


def naive_unusable(sessions: np.ndarray, columns: dict[str, np.ndarray], session: int) -> set[str]:
    """What a refit must do without, from the rows known then and nothing else."""
    known = sessions <= session
    gone = set()
    for name, values in columns.items():
        seen = values[known & ~np.isnan(values)]
        if len(seen) < knowledge.MIN_KNOWN or len(np.unique(seen)) == 1:
            gone.add(name)
        if any(
            np.array_equal(values[known], other[known], equal_nan=True)
            for before, other in columns.items()
            if before < name
        ):
            gone.add(name)
    return gone


def test_what_a_refit_does_without_follows_from_the_rows_known_then() -> None:
    rng = np.random.default_rng(3)
    sessions = np.sort(rng.choice(2000, 900, replace=False)).astype(np.int64)
    good = rng.standard_normal(900)
    columns = {
        "good": good,
        "late": np.where(np.arange(900) < 500, np.nan, rng.standard_normal(900)),
        "constant": np.where(np.arange(900) < 700, 50.0, rng.standard_normal(900)),
        "never": np.full(900, np.nan),
        "parts": np.where(np.arange(900) < 400, good, rng.standard_normal(900)),
        "twin": good.copy(),
    }
    starts = Knowledge(sessions, columns).usable_from()
    answers = []
    for session in range(-5, 2005, 37):
        expected = naive_unusable(sessions, columns, session)
        assert {name for name in columns if starts.get(name, 10**9) > session} == expected
        answers.append(expected)
    # What was usable once stays usable.
    assert all(later <= earlier for earlier, later in pairwise(answers))
    assert answers[-1] == {"never", "twin"}
    assert starts["parts"] == sessions[400]
    assert starts["good"] == sessions[MIN_KNOWN - 1]


def test_every_column_without_a_start_has_its_reason() -> None:
    n = 300
    moving = np.arange(n, dtype=float)
    columns = {
        "a": moving,
        "b": moving.copy(),
        "few": np.where(np.arange(n) < n - 20, np.nan, moving),
        "none": np.full(n, np.nan),
        "rsi": np.full(n, 50.0),
    }
    found = Knowledge(np.arange(n), columns)
    assert set(found.usable_from()) == {"a"}
    assert found.reasons() == {
        "b": "identical_columns: equal to a throughout",
        "few": f"known on 20 sessions, {MIN_KNOWN} are needed",
        "none": "all_null: never known",
        "rsi": "constant: 50 on all 300 sessions on which it is known",
    }


SMALL = arrays.arrays(
    np.float64, st.tuples(st.integers(1, 12), st.integers(1, 6)), elements=st.sampled_from([0.0, -0.0, 1.0, np.nan])
)


@given(SMALL, st.randoms())
def test_any_columns_part_where_the_naive_answer_says(values: np.ndarray, random: object) -> None:
    names = [f"c{i}" for i in range(values.shape[1])]
    random.shuffle(names)  # type: ignore[attr-defined]
    columns = {name: values[:, i] for i, name in enumerate(names)}
    sessions = np.arange(len(values)) * 3
    least, knowledge.MIN_KNOWN = knowledge.MIN_KNOWN, 2
    try:
        starts = Knowledge(sessions, columns).usable_from()
        for session in sessions:
            expected = naive_unusable(sessions, columns, int(session))
            assert {name for name in columns if starts.get(name, 10**9) > session} == expected
        # Nothing that is added later moves a start.
        for rows in range(1, len(values)):
            early = Knowledge(sessions[:rows], {name: column[:rows] for name, column in columns.items()})
            assert early.usable_from() == {name: s for name, s in starts.items() if s <= sessions[rows - 1]}
        assert starts.keys() | Knowledge(sessions, columns).reasons().keys() == columns.keys()
    finally:
        knowledge.MIN_KNOWN = least


def test_no_columns_are_no_trouble() -> None:
    assert Knowledge(np.arange(3), {}).usable_from() == Knowledge(np.arange(3), {}).reasons() == {}
