"""What happens to tables that cannot be audited: it is said, and what could be read is used."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from cbi_common.core.errors import DataError
from cbi_common.markets import load_market
from cbi_common.storage.warehouse import FolderWarehouse
from cbi_common.testing.folders import write_simulated_folder
from ingest import judgement
from ingest.judgement import judge

PALM = "forecasting_data_warehouse.palm_oil_prices"
UNUSED = "forecasting_data_warehouse.soybean_prices"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tables")
    write_simulated_folder(path, sessions=400, seed=3)
    return path


def whole_reads_fail(monkeypatch: pytest.MonkeyPatch, *tables: str) -> None:
    read = FolderWarehouse.read

    def broken(self: FolderWarehouse, table: str, columns: tuple[str, ...] | None = None, **more: object) -> pa.Table:
        if table in tables and columns is None:
            raise DataError("the read was given up", where=table, hint="try again")
        return read(self, table, columns, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(FolderWarehouse, "read", broken)


def found(folder: Path, table: str) -> list[tuple[str, str, str]]:
    judged = judge(load_market("zl"), FolderWarehouse(folder), None)
    return [(flaw.check, flaw.severity, flaw.detail) for flaw in judged.tables[table].flaws]


def test_a_table_whose_series_came_through_says_that_the_rest_was_not_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole_reads_fail(monkeypatch, PALM)
    judged = judge(load_market("zl"), FolderWarehouse(folder), None)
    assert "palm" in judged.verdict.series
    assert ("unreadable", "info") in {(flaw.check, flaw.severity) for flaw in judged.tables[PALM].flaws}
    assert judged.tables[PALM].quality.verdict == "ok"


def test_a_table_that_nobody_reads_is_rejected(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / f"{UNUSED}.parquet").write_bytes((folder / f"{PALM}.parquet").read_bytes())
    whole_reads_fail(monkeypatch, UNUSED)
    assert found(folder, UNUSED) == [("unreadable", "rejected", "the read was given up")]
    assert judge(load_market("zl"), FolderWarehouse(folder), None).tables[UNUSED].quality.verdict == "rejected"


def test_a_table_too_long_for_the_audit_is_counted_and_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judgement, "MOST_ROWS", 100)
    told = [entry for entry in found(folder, PALM) if entry[0] == "unreadable"]
    assert told == [("unreadable", "info", "400 rows are more than 100")]
