"""A wide table becomes a dataset: as known, whatever the order, the repetition or the company of its rows."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cbi_common.core.errors import DataError
from cbi_common.core.horizon import Horizon
from cbi_common.markets.datasets import ColumnRule, DatasetSpec
from cbi_common.timeseries.calendar import session_date, session_number, session_numbers
from cbi_common.timeseries.panel import as_known
from ingest.domain.masks import frozen, opening_run
from ingest.domain.wide import (
    WideTable,
    choose_columns,
    columns_as_known,
    raw_reasons,
    reach,
    read_wide,
    table_rows,
)

SPEC = DatasetSpec(name="rich", table="shop.rich", date="day", targets={Horizon.W1: "price"}, frozen_after=6)
RULES = (
    ColumnRule(columns=("secret", "*_ahead"), drop="looks ahead: on purpose"),
    ColumnRule(columns=("cot_*",), lag_sessions=4),
    ColumnRule(columns=("slow",), frozen_after=20),
    ColumnRule(columns=("price_*",), above=0.0),
)
FIRST = session_number(date(2023, 1, 3))
AS_OF = session_date(FIRST + 80)
LATER = date(2030, 1, 1)


def make(rows: int = 60, seed: int = 0) -> pa.Table:
    """A table with holes, weekends, a lagged, a frozen and a zero-filled column."""
    rng = np.random.default_rng(seed)
    sessions = FIRST + np.sort(rng.choice(rows + 10, rows, replace=False))
    days = np.array([session_date(int(s)) for s in sessions], dtype="datetime64[D]")
    days[rng.choice(rows, 4, replace=False)] += np.timedelta64(4, "D")  # some land on weekends, some on other rows
    x = rng.normal(size=rows)
    x[rng.random(rows) < 0.3] = np.nan
    return pa.table(
        {
            "day": pa.array(days),
            "x": x,
            "count": pa.array(rng.integers(0, 3, rows)),
            "cot_net": rng.normal(size=rows).round(1),
            "slow": np.repeat(np.arange(rows // 12 + 1.0), 12)[:rows],
            "price_rin": np.where(rng.random(rows) < 0.4, 0.0, rng.uniform(1, 2, rows)),
            "secret": rng.normal(size=rows),
            "target_1w": rng.uniform(40, 60, rows),
            "word": pa.array(["a"] * rows),
        }
    )


def dataset(table: pa.Table, as_of: date = LATER) -> dict[str, Any]:
    """Everything that a table becomes, on all sessions around it."""
    wide = read_wide(table, SPEC, RULES, as_of)
    sessions = np.arange(FIRST - 3, FIRST + 90)
    columns = columns_as_known(wide, SPEC, RULES, sessions)
    return {"sessions": sessions[reach(wide, SPEC, sessions)], **columns, **wide.own_targets}


def same(one: dict[str, Any], two: dict[str, Any]) -> bool:
    return one.keys() == two.keys() and all(np.array_equal(one[k], two[k], equal_nan=True) for k in one)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 5), st.randoms(use_true_random=False))
def test_shuffled_repeated_and_accompanied_rows_are_the_same_dataset(seed: int, random: Any) -> None:
    table = make(seed=seed)
    rows = list(range(table.num_rows)) + random.choices(range(table.num_rows), k=20)
    random.shuffle(rows)
    columns = list(table.column_names)
    random.shuffle(columns)
    other = table.take(rows).select(columns).append_column("more", pa.array(np.arange(float(len(rows)))))
    changed = dataset(other)
    changed.pop("more")
    assert same(dataset(table), changed)


@pytest.mark.parametrize("cut", [10, 33, 50])
@pytest.mark.parametrize("seed", [1, 2])
def test_what_comes_later_changes_nothing_before_it(cut: int, seed: int) -> None:
    table, rng = make(seed=seed), np.random.default_rng(99)
    last = session_date(FIRST + cut)
    later = table["day"].to_numpy() > np.datetime64(last)
    assert 0 < later.sum() < len(later)
    noisy = table
    for name in ("x", "cot_net", "slow", "price_rin"):
        values = table[name].to_numpy().copy()
        values[later] = rng.normal(size=int(later.sum()))
        noisy = noisy.set_column(noisy.schema.get_field_index(name), name, pa.array(values))
    before = np.arange(FIRST - 3, FIRST + 90) <= FIRST + cut
    whole = dataset(table)
    for changed in (dataset(noisy), dataset(table.filter(pa.array(~later))), dataset(table, as_of=last)):
        for name in ("x", "count", "cot_net", "slow", "price_rin"):
            assert np.array_equal(whole[name][before], changed[name][before], equal_nan=True), name
    assert not same(whole, dataset(noisy))


@pytest.mark.parametrize("seed", range(4))
def test_every_column_is_what_the_panel_would_make_of_it(seed: int) -> None:
    table = make(seed=seed)
    wide = read_wide(table, SPEC, RULES, LATER)
    sessions = np.arange(FIRST - 3, FIRST + 90)
    known = columns_as_known(wide, SPEC, RULES, sessions)
    for name, lag, limit in [("x", 0, 6), ("cot_net", 4, 6), ("slow", 0, 20), ("price_rin", 0, 6), ("count", 0, 6)]:
        raw = wide.values[name].copy()
        if name == "price_rin":
            raw[raw <= 0] = np.nan
        raw[(opening_run(raw[:, None]) | frozen(raw[:, None], np.array([limit]))).ravel()] = np.nan
        expected = as_known(sessions, wide.sessions, raw, release_lag_sessions=lag, staleness_sessions=5)
        assert np.array_equal(known[name], expected, equal_nan=True), name


def test_a_dataset_may_be_late_as_a_whole() -> None:
    wide, sessions = read_wide(make(), SPEC, RULES, LATER), np.arange(FIRST - 3, FIRST + 90)
    late = SPEC.model_copy(update={"lag_sessions": 2})
    now, then = columns_as_known(wide, SPEC, RULES, sessions), columns_as_known(wide, late, RULES, sessions)
    assert then["x"][2:].tobytes() == now["x"][:-2].tobytes()
    assert then["cot_net"].tobytes() == now["cot_net"].tobytes()


def test_rows_are_counted_and_of_several_the_lower_median_of_each_column_is_kept() -> None:
    monday, sunday = date(2023, 1, 9), date(2023, 1, 8)
    table = pa.table(
        {
            "day": pa.array([monday, monday, monday, monday, sunday, date(2023, 1, 12)]),
            "x": [3.0, 1.0, 3.0, None, 100.0, 5.0],
            "y": [1.0, 2.0, 4.0, 3.0, 100.0, None],
        }
    )
    wide = read_wide(table, SPEC, RULES, LATER)
    assert [session_date(int(s)) for s in wide.sessions] == [monday, date(2023, 1, 12)]
    assert wide.values["x"].tolist() == [1.0, 5.0]
    assert wide.values["y"][0] == 2.0
    sessions, _ = session_numbers(np.arange(monday, date(2023, 1, 14), dtype="datetime64[D]"))
    counted = table_rows(wide, np.unique(sessions))
    assert (counted.rows, counted.duplicate_rows, counted.non_session_rows) == (6, 3, 1)
    assert counted.sessions_without_row == 3


def test_every_column_that_is_left_out_says_why() -> None:
    schema = make().schema.append(pa.field("price", pa.float64())).append(pa.field("weight_plan", pa.float64()))
    kept, dropped = choose_columns(schema, SPEC, RULES)
    assert kept == ["cot_net", "count", "price_rin", "slow", "x"]
    assert {name: reason.split(":")[0] for name, reason in dropped.items()} == {
        "secret": "looks ahead",
        "target_1w": "other_target",
        "word": "wrong_type",
        "price": "reserved",
        "weight_plan": "reserved",
    }


def test_columns_that_say_nothing_are_named() -> None:
    wide = WideTable(
        sessions=np.arange(3),
        values={"none": np.full(3, np.nan), "rsi": np.array([50.0, np.nan, 50.0]), "x": np.array([1.0, 2.0, 1.0])},
        own_targets={},
        dropped={},
        duplicate_rows=0,
        non_session_rows=0,
    )
    assert raw_reasons(wide) == {
        "none": "all_null: no value in 3 rows",
        "rsi": "constant: 50 in all 2 rows that have a value",
    }


def test_the_dataset_ends_when_the_last_row_is_too_old() -> None:
    wide = read_wide(make(), SPEC, RULES, LATER)
    covered = np.arange(FIRST - 5, FIRST + 200)[reach(wide, SPEC, np.arange(FIRST - 5, FIRST + 200))]
    assert (covered[0], covered[-1]) == (wide.sessions[0], wide.sessions[-1] + 5)


def test_a_table_without_rows_by_then_is_empty() -> None:
    wide = read_wide(make(), SPEC, RULES, date(2000, 1, 1))
    assert len(wide.sessions) == 0
    assert not reach(wide, SPEC, np.arange(5)).any()
    assert all(np.isnan(column).all() for column in columns_as_known(wide, SPEC, RULES, np.arange(5)).values())


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (pa.table({"time": pa.array([AS_OF])}), "no column 'day'"),
        (pa.table({"day": pa.array(["2023-01-03"])}), "holds string, not dates"),
    ],
)
def test_a_table_without_days_is_an_error(table: pa.Table, says: str) -> None:
    with pytest.raises(DataError, match=says):
        read_wide(table, SPEC, RULES, LATER)
