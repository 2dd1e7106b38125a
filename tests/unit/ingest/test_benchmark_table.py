"""The benchmark's table: what was written by as_of is stored, the rest is not known yet; trouble with it is told."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from cbi_common.markets.benchmark import BenchmarkSpec
from cbi_common.storage.lake import Lake
from cbi_common.storage.tables import get_table
from cbi_common.storage.warehouse import open_warehouse
from ingest.benchmark import store_benchmark

SPEC = BenchmarkSpec(table="bqml.predictions")
ROW = {
    "horizon": "1w", "cutoff": date(2025, 5, 1), "target": date(2025, 5, 8), "predicted_price": 50.0,
    "made_at": datetime(2025, 5, 1, 23, tzinfo=UTC),
}  # fmt: skip


class Tables:
    def __init__(self, table: pa.Table | None) -> None:
        self._table = table

    def tables(self) -> tuple[str, ...]:
        return () if self._table is None else (SPEC.table,)

    def read(self, _table: str, columns: tuple[str, ...]) -> pa.Table:
        return self._table.select(list(columns))


def stored(tmp_path, *rows: dict):
    lake = Lake(str(tmp_path))
    found = store_benchmark(lake, SPEC, Tables(pa.Table.from_pylist(list(rows))), date(2025, 5, 16))
    return found, None if found.ref is None else get_table(lake, found.ref).to_pylist()


def test_what_was_made_later_or_for_no_horizon_of_ours_is_left_out(tmp_path) -> None:
    late = {**ROW, "cutoff": date(2025, 5, 16), "made_at": datetime(2025, 5, 17, tzinfo=UTC)}
    found, rows = stored(tmp_path, late, {**ROW, "horizon": "2w"}, ROW)
    assert found.absent == ""
    assert [(r["horizon"], r["predicted"], r["target_session"] - r["session"]) for r in rows] == [("1w", 50.0, 5)]


def test_days_may_be_texts(tmp_path) -> None:
    _, rows = stored(
        tmp_path, {**ROW, "cutoff": "2025-05-01", "target": "2025-05-08", "made_at": "2025-05-01T23:00:00Z"}
    )
    assert rows[0]["made"] == date(2025, 5, 1)


def test_equal_content_has_equal_keys_whatever_the_order(tmp_path) -> None:
    other = {**ROW, "cutoff": date(2025, 5, 2), "target": date(2025, 5, 9)}
    assert stored(tmp_path, ROW, other)[0] == stored(tmp_path, other, ROW)[0]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (({**ROW, "cutoff": None},), "a day is missing"),
        (({**ROW, "cutoff": "soon"},), "cannot be read"),
        (({**ROW, "predicted_price": "dear"},), "cannot be read"),
        (({**ROW, "made_at": datetime(2025, 6, 1, tzinfo=UTC)},), "no prediction made by 2025-05-16"),
    ],
)
def test_a_table_that_is_of_no_use_says_why_and_stops_nobody(tmp_path, rows, said) -> None:
    found, _ = stored(tmp_path, *rows)
    assert found.ref is None
    assert said in found.absent


def test_without_a_table_or_a_declaration_there_is_none(tmp_path) -> None:
    lake = Lake(str(tmp_path))
    assert "export-sql" in store_benchmark(lake, SPEC, Tables(None), date(2025, 5, 16)).absent
    assert store_benchmark(lake, None, Tables(None), date(2025, 5, 16)).ref is None


def test_the_simulated_market_brings_one_on_request(tmp_path) -> None:
    found = store_benchmark(
        Lake(str(tmp_path)), SPEC, open_warehouse("simulated?sessions=400&benchmark=1"), date(2025, 5, 16)
    )
    rows = get_table(Lake(str(tmp_path)), found.ref)
    assert rows.num_rows == 5 * 400
