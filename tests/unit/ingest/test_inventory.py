"""`cbi warehouse` and `cbi results`: what is there, what a pass reads, what has been recorded."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from cbi_common.markets import load_market
from cbi_common.storage.result_rows import rows_of
from cbi_common.storage.results import open_results
from cbi_common.storage.warehouse import FolderWarehouse
from cbi_common.testing.fakes import envelope
from cbi_common.testing.folders import write_simulated_folder
from cbi_common.testing.outcomes import outcomes
from ingest import jobs
from ingest.adapters.inventory_table import inventory_table
from ingest.domain.reading import reads_of
from ingest.inventory import inventory
from ingest.results_command import results
from ingest.warehouse_command import warehouse

MARKET = load_market("zl")
WIDE = "models_v4.trump_rich_2023_2025"
VIX = "forecasting_data_warehouse.vix_daily"
TARGET = next(name for spec in MARKET.datasets if spec.table == WIDE for name in spec.target_columns())


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    day = [date(2024, 5, 31)]
    pq.write_table(pa.table({"date": day, "close": [1.0], "more": ["x"]}), tmp_path / f"{VIX}.parquet")
    wide = {"date": day, "x": [1.0], TARGET: [2.0], "name": ["x"]}
    pq.write_table(pa.table(wide), tmp_path / f"{WIDE}.parquet")
    (tmp_path / "shop.broken.parquet").write_bytes(b"PAR1")
    return tmp_path


def found(tables: Path, **more: Any) -> dict[str, Any]:
    asked = {"warehouse": str(tables), "market": "zl", "as_of": "2024-06-03", "usd_per_tib": 1.0}
    return inventory({**asked, **more})


def test_the_reads_are_those_that_ingest_makes(tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A spy on the warehouse sees what an export really asks it for."""
    asked: dict[str, list[object]] = {}
    read = FolderWarehouse.read

    def spy(self: FolderWarehouse, table: str, columns: Any = None, *, days: Any = None) -> pa.Table:
        names = tuple(self.schema(table).names) if columns is None else columns
        asked.setdefault(table, []).append((tuple(sorted(names)), None if days is None else days.last.isoformat()))
        return read(self, table, columns, days=days)

    write_simulated_folder(tmp_path / "all", sessions=1500, seed=5, wide=True)
    (tmp_path / "some").mkdir()
    for name in (*MARKET.tables, WIDE):
        (tmp_path / "some" / f"{name}.parquet").symlink_to(tmp_path / "all" / f"{name}.parquet")
    told = inventory({"warehouse": str(tmp_path / "some"), "market": "zl", "as_of": "2024-11-29", "usd_per_tib": 1.0})[
        "tables"
    ]
    monkeypatch.setattr(FolderWarehouse, "read", spy)
    request = {"lake": str(tmp_path / "lake"), "warehouse": str(tmp_path / "some"), "market": "zl", "profile": "smoke"}
    assert "exported" in jobs.export({**request, "as_of": "2024-11-29"})
    plain = FolderWarehouse(tmp_path / "some")
    for name, table in told.items():
        reads = [
            (tuple(sorted(plain.schema(name).names if r["columns"] == "all" else r["columns"])), r["last_day"])
            for r in table["reads"]
        ]
        assert sorted(map(str, reads)) == sorted(map(str, asked[name])), name


def test_what_a_pass_reads_is_told_column_by_column(tables: Path) -> None:
    told = found(tables)["tables"]
    assert told["shop.broken"].keys() == {"trouble"}
    assert [(r["purpose"], r["columns"], r["last_day"]) for r in told[VIX]["reads"]] == [
        ("gate", "all", None),
        ("series", ["date", "close"], None),
    ]
    assert [(r["purpose"], r["columns"], r["last_day"]) for r in told[WIDE]["reads"]] == [
        ("gate", "all", None),
        ("dataset", ["date", "x", TARGET], "2024-06-03"),
    ]
    assert told[VIX]["cost_usd"] is None  # nobody bills a folder


def test_a_table_that_is_too_long_to_be_judged_is_read_for_its_series_alone() -> None:
    schema = pa.schema([("date", pa.date32()), ("close", pa.float64()), ("more", pa.string())])
    assert [read.purpose for read in reads_of(MARKET, VIX, schema, None, judged=False)] == ["series"]
    assert list(reads_of(MARKET, "shop.tea", schema, None, judged=False)) == []


def test_a_bill_adds_up_and_leaves_out_what_nobody_knows() -> None:
    read = {"purpose": "gate", "columns": "all", "last_day": None}
    table = {"rows": 1, "bytes": 2, "columns": 1, "reads": [read]}
    shown = inventory_table(
        {
            "warehouse": "bigquery://p", "billed": True, "usd_per_tib": 6.25,
            "tables": {"a.t": {**table, "bytes_read": 2**40, "cost_usd": 6.25},
                       "a.v": {**table, "rows": None, "bytes_read": None, "cost_usd": None}},
            "total": {"rows": 1, "bytes": 4, "bytes_read": 2**40, "cost_usd": 6.25},
        }
    )  # fmt: skip
    assert [row[-2:] for row in shown.rows] == [("1,099,511,627,776", "6.250000"), ("–", "–")]
    assert "6.250000 USD at 6.25 USD per TiB, without 1 of which nobody says it before" in shown.note


def test_the_commands_print_tables_and_json(tables: Path, tmp_path: Path) -> None:
    run = CliRunner()
    told = run.invoke(warehouse, ["--warehouse", str(tables), "--json"], catch_exceptions=False)
    assert json.loads(told.output)["total"]["rows"] == 2
    assert VIX in run.invoke(warehouse, ["--warehouse", str(tables)], catch_exceptions=False).output
    store = open_results(str(tmp_path / "results"))
    for number, data in enumerate(outcomes()):
        kind, rows = rows_of(envelope(data, event_id=str(number)), simulated=True)
        store.record(kind, str(number), rows)
    where = ["--results", str(tmp_path / "results")]
    overview = run.invoke(results, where, catch_exceptions=False).output
    assert "SIMULATED" in overview
    assert "promotions" in overview
    kept = json.loads(run.invoke(results, ["forecasts", *where, "--json"], catch_exceptions=False).output)
    assert {row["horizon"]: row["point"] for row in kept["forecasts"]} == {
        "1w": 49.123456789012345,
        "12m": 49.123456789012345,
        "3m": None,
    }
    later = run.invoke(results, ["forecasts", *where, "--since", "2025-05-17", "--json"], catch_exceptions=False)
    assert json.loads(later.output) == {"forecasts": []}
    shown = run.invoke(results, ["promotions", *where, "--limit", "2"], catch_exceptions=False).output
    assert "3 more with --limit or --json" in shown
