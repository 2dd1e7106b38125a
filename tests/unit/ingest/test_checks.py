"""Each check finds its flaw, repairs it by its rule, and never looks at later rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbi_common.markets import SeriesSpec
from cbi_common.timeseries.calendar import sessions_between
from ingest.domain import checks
from ingest.domain.rows import Rows, read_days, read_rows
from ingest.domain.tables import Source, inspect_table

DAYS = sessions_between(date(2019, 1, 2), date(2020, 12, 30))
LAST = date(2020, 12, 31)


def spec(**fields: object) -> SeriesSpec:
    base = {
        "name": "tea",
        "table": "shop.prices",
        "date": "day",
        "value": "tea",
        "unit": "¢/lb",
        "staleness_sessions": 3,
    }
    return SeriesSpec.model_validate({**base, **fields})


def rows_of(values: Sequence[float | None], days: list[date] | None = None, **fields: object) -> Rows:
    chosen = DAYS[: len(values)] if days is None else np.array(days, dtype="datetime64[D]")
    table = pa.table({"day": pa.array(chosen), "tea": pa.array(values, pa.float64())})
    return read_rows(table, spec(**fields), read_days(table, "day"), LAST)


def test_null_and_nan_are_unknown() -> None:
    kept, found = checks.drop_unknown(rows_of([1.0, None, float("nan"), 2.0]))
    assert kept.values.tolist() == [1.0, 2.0]
    assert [(flaw.check, flaw.count, flaw.severity) for flaw in found] == [("null_value", 2, "info")]


def test_impossible_values_go_by_their_names() -> None:
    kept, found = checks.mask_out_of_range(
        rows_of([5.0, 0.0, -37.63, 900.0, float("inf"), 7.0]), spec(above=0, below=100)
    )
    assert kept.values.tolist() == [5.0, 7.0]
    assert {flaw.check: flaw.count for flaw in found} == {"zero_as_missing": 1, "non_positive": 1, "out_of_range": 2}
    assert "-37.63 on 2019-01-04" in next(flaw.detail for flaw in found if flaw.check == "non_positive")


def test_a_spread_may_be_zero_or_negative() -> None:
    kept, found = checks.mask_out_of_range(rows_of([5.0, 0.0, -3.0]), spec(above=-10, below=10))
    assert (len(kept), found) == (3, [])


def test_a_price_without_a_session_is_dropped_and_a_rate_counts_from_the_next_one() -> None:
    friday, saturday, christmas = date(2020, 12, 18), date(2020, 12, 19), date(2020, 12, 25)
    raw = rows_of([1.0, 2.0, 3.0], [friday, saturday, christmas])
    own, found = checks.place_on_sessions(raw, own_sessions_only=True)
    assert own.values.tolist() == [1.0]
    assert [flaw.check for flaw in found] == ["weekend_row", "non_session_row"]
    assert {flaw.severity for flaw in found} == {"repaired"}
    moved, found = checks.place_on_sessions(raw, own_sessions_only=False)
    assert moved.values.tolist() == [1.0, 2.0, 3.0]
    assert moved.sessions[1] == moved.sessions[0] + 1
    assert {flaw.severity for flaw in found} == {"info"}


def test_duplicates_leave_a_value_that_was_observed() -> None:
    day = DAYS[0].item()
    kept, found = checks.one_per_session(rows_of([3.0, 1.0, 2.0, 2.0, 9.0, 9.0], [day] * 6))
    # Distinct values 1, 2, 3, 9: the lower median.
    assert kept.values.tolist() == [2.0]
    assert {flaw.check: flaw.count for flaw in found} == {"duplicate_row": 2, "conflicting_duplicate": 3}


def test_the_preferred_source_and_the_latest_day_win() -> None:
    friday, saturday, monday = date(2020, 12, 18), date(2020, 12, 19), date(2020, 12, 21)
    table = pa.table(
        {
            "day": pa.array([friday, friday, saturday, monday, saturday]),
            "tea": pa.array([1.0, 2.0, 3.0, 4.0, 5.0]),
            "from": pa.array(["new", "old", "old", "new", "other"]),
        }
    )
    rows = read_rows(table, spec(where={"from": ("old", "new")}), read_days(table, "day"), LAST)
    kept, found = checks.one_per_session(rows)
    assert kept.values.tolist() == [2.0, 4.0]
    assert [(flaw.check, flaw.count) for flaw in found] == [("several_sources", 1)]


@given(st.permutations(range(12)), st.lists(st.integers(0, 11), max_size=6))
def test_neither_order_nor_repetition_of_rows_changes_the_choice(order: list[int], again: list[int]) -> None:
    values = [1.0, 1.0, 2.0, 5.0, 4.0, 3.0, 7.0, 7.0, 8.0, 9.0, 9.5, 10.0]
    days = [DAYS[i].item() for i in (0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 3, 3)]
    kept, _ = checks.one_per_session(rows_of(values, days))
    chosen = [*order, *again]
    shuffled, _ = checks.one_per_session(rows_of([values[i] for i in chosen], [days[i] for i in chosen]))
    assert shuffled.values.tolist() == kept.values.tolist()
    assert shuffled.sessions.tolist() == kept.sessions.tolist()


def test_a_standing_feed_is_believed_only_so_long() -> None:
    rows = rows_of([1.0, 2.0, 2.0, 2.0, 2.0, 3.0, 4.0, 4.0, 4.0])
    kept, found = checks.mask_frozen(rows, 2)
    assert kept.values.tolist() == [1.0, 2.0, 2.0, 3.0, 4.0, 4.0]
    assert [(flaw.check, flaw.count) for flaw in found] == [("frozen_tail", 1), ("frozen_run", 2)]


def test_a_misprint_never_enters_and_a_jump_enters_when_confirmed() -> None:
    kept, found = checks.mask_unconfirmed(rows_of([4.28, 4.52, 4.29, 4.60, 4.61, 4.62]), 0.03)
    assert kept.values.tolist() == [4.28, 4.29, 4.61, 4.62]
    assert found[0].count == 2
    untouched, found = checks.mask_unconfirmed(rows_of([1.0, 9.0]), None)
    assert (len(untouched), found) == (2, [])


def test_holes_are_counted_in_sessions_and_in_weeks() -> None:
    rows = rows_of([float(i) for i in range(60)])
    (hole,) = checks.find_holes(rows.take(np.r_[0:10, 14:60]), spec())
    assert (hole.count, hole.severity) == (4, "info")
    assert checks.find_holes(rows, spec()) == []
    weekly = rows.take(np.r_[0:20:5, 40:60:5])
    assert [flaw.count for flaw in checks.find_holes(weekly, spec(frequency="week"))] == [1]


def test_one_value_throughout_is_a_placeholder() -> None:
    (flaw,) = checks.find_placeholder(rows_of([50.0] * 20))
    assert (flaw.check, flaw.severity, flaw.count) == ("constant", "rejected", 20)
    assert checks.find_placeholder(rows_of([50.0] * 19)) == []


def test_a_stale_series_says_since_when() -> None:
    rows = rows_of([1.0, 2.0])
    last = int(rows.sessions[-1])
    assert checks.find_stale(rows, spec(release_lag_sessions=2), last + 5) == []
    (flaw,) = checks.find_stale(rows, spec(release_lag_sessions=2), last + 6)
    assert flaw.count == 4
    assert "2019-01-03" in flaw.detail


FLAWED = st.sampled_from([1.0, 1.5, 2.0, 2.0, 2.0, 0.0, -1.0, 1e6, None])


@given(
    st.lists(st.tuples(st.integers(0, 120), FLAWED), min_size=1, max_size=60),
    st.integers(0, 120),
    st.booleans(),
)
def test_what_the_gate_makes_of_a_row_depends_on_no_later_row(
    observed: list[tuple[int, float | None]], cut: int, own: bool
) -> None:
    start = date(2020, 1, 2)
    days = [start + timedelta(days=offset) for offset, _ in observed]
    table = pa.table({"day": pa.array(days, pa.date32()), "tea": pa.array([v for _, v in observed], pa.float64())})
    source = Source(table, ("day", "tea"))
    series = spec(above=0, below=100, frozen_after=2, max_move=0.5)
    until = start + timedelta(days=cut)
    whole = inspect_table(source, [series], LAST, ["tea"] if own else []).series.get("tea")
    known = inspect_table(source, [series], until, ["tea"] if own else []).series.get("tea")
    # What was dropped altogether (nothing usable, a placeholder) is decided per refit, not here.
    if whole is None or known is None:
        return
    # A value of a weekend may be overruled by the session's own, which comes later: compare what is known by then.
    early = whole.take(whole.days <= np.datetime64(until))
    last = known.sessions[-1] if own or known.on_session[-1] else known.sessions[-1] - 1
    assert early.take(early.sessions <= last).values.tolist() == known.take(known.sessions <= last).values.tolist()


@pytest.mark.parametrize(
    ("table", "check"),
    [
        (pa.table({"day": pa.array(["2020-01-02"]), "tea": pa.array([1.0])}), "wrong_type"),
        (pa.table({"day": pa.array([date(2020, 1, 2)]), "tea": pa.array(["n/a"])}), "wrong_type"),
        (pa.table({"day": pa.array([date(2020, 1, 2)]), "tea": pa.array([True])}), "wrong_type"),
        (pa.table({"day": pa.array([date(2020, 1, 2)]), "tea": pa.nulls(1)}), "all_null"),
        (pa.table({"day": pa.array([date(2020, 1, 2)])}), "missing_column"),
        (pa.table({"tea": pa.array([1.0])}), "missing_column"),
        (pa.table({"day": pa.array([], pa.date32()), "tea": pa.array([], pa.float64())}), "empty_table"),
        (pa.table({"day": pa.array([date(2020, 1, 2)]), "tea": pa.array([-1.0])}), "no_usable_value"),
        (pa.table({"day": pa.array([None], pa.date32()), "tea": pa.array([1.0])}), "all_null"),
        (pa.table({"day": pa.array([date(1820, 1, 2)]), "tea": pa.array([1.0])}), "all_null"),
    ],
)
def test_a_column_that_cannot_be_used_is_lost_with_its_reason(table: pa.Table, check: str) -> None:
    report = inspect_table(Source(table, tuple(table.column_names)), [spec(above=0)], LAST, [])
    assert report.lost["tea"].check == check
    assert report.quality.verdict == "rejected"
    assert report.series == {}


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1, 2]),
        pa.array([1, 2], pa.int8()),
        pa.array([1.0, 2.0], pa.float32()),
        pa.array([Decimal(1), Decimal(2)]),
    ],
)
@pytest.mark.parametrize("kind", [pa.date32(), pa.date64(), pa.timestamp("us"), pa.timestamp("ns", tz="UTC")])
def test_any_numeric_and_any_date_type_is_read(values: pa.Array[Any], kind: pa.DataType) -> None:
    table = pa.table({"day": pa.array([date(2020, 1, 2), date(2020, 1, 3)]).cast(kind), "tea": values})
    report = inspect_table(Source(table, ("day", "tea")), [spec()], LAST, [])
    assert report.series["tea"].values.tolist() == [1.0, 2.0]
    assert report.quality.verdict == "ok"
