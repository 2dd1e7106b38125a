"""Datasets exported through BigQuery are those of the folder, byte for byte; what a pass costs is told before it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cbi_common.events.data import DataExported
from cbi_common.markets import load_market
from cbi_common.storage.lake import Lake
from cbi_common.testing.bigquery import Emulator
from cbi_common.testing.folders import write_simulated_folder
from ingest import exporting, jobs
from ingest.inventory import inventory


def exported(lake: Path, warehouse: str, **more: Any) -> DataExported:
    asked = {"lake": str(lake), "warehouse": warehouse, "market": "zl", "profile": "smoke", **more}
    return DataExported.model_validate(jobs.export(asked)["exported"])


def compare(emulator: Emulator, project: str, tmp_path: Path, folder: Path, **more: Any) -> None:
    """Equal digests of every dataset, and equal manifests beside them."""
    emulator.load_folder(folder, project=project)
    local = exported(tmp_path / "a", str(folder), **more)
    remote = exported(tmp_path / "b", emulator.url(project), **more)
    assert remote.warehouse == f"bigquery://{project}"
    assert {n: d.sha256 for n, d in remote.datasets.items()} == {n: d.sha256 for n, d in local.datasets.items()}
    assert {"panel", "full"} < remote.datasets.keys()
    assert (remote.absent, remote.quality) == (local.absent, local.quality)
    for name, dataset in local.datasets.items():
        for mine, theirs in (
            (dataset.ref, remote.datasets[name].ref),
            (dataset.manifest, remote.datasets[name].manifest),
        ):
            if mine is not None and theirs is not None:
                assert Lake(str(tmp_path / "b")).get(theirs) == Lake(str(tmp_path / "a")).get(mine)


def part(folder: Path, source: Path, names: tuple[str, ...]) -> Path:
    """A folder with some of the tables of another."""
    folder.mkdir()
    for name in names:
        (folder / f"{name}.parquet").symlink_to(source / f"{name}.parquet")
    return folder


def test_of_the_simulated_market(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_simulated_folder(tmp_path / "all", sessions=1500, seed=5, wide=True)
    names = (*load_market("zl").tables, "models_v4.trump_rich_2023_2025", "models_v4.production_training_data_1w")
    compare(emulator, "same-project", tmp_path, part(tmp_path / "tables", tmp_path / "all", names), as_of="2024-11-29")
    # The same again finds everything in the lake and reads no table.
    first = exported(tmp_path / "b", emulator.url("same-project"), as_of="2024-11-29")
    monkeypatch.setattr(exporting, "judge", None)
    assert exported(tmp_path / "b", emulator.url("same-project"), as_of="2024-11-29") == first


@pytest.mark.real_data
def test_of_real_tables(emulator: Emulator, tmp_path: Path, real_warehouse: Path) -> None:
    """Those with dates as timestamps, texts, nulls, repeated and unsorted rows; all 64 pass too, in two minutes."""
    names = (
        "yahoo_finance_comprehensive.biofuel_components_canonical",
        "forecasting_data_warehouse.vix_daily",
        "forecasting_data_warehouse.palm_oil_prices",
        "forecasting_data_warehouse.cftc_cot",
        "models_v4.trump_rich_2023_2025",
    )
    compare(emulator, "real-project", tmp_path, part(tmp_path / "tables", real_warehouse, names), as_of="2025-05-16")


def test_bytes_and_price_are_told_before_anything_is_read(emulator: Emulator, tmp_path: Path) -> None:
    write_simulated_folder(tmp_path / "tables", sessions=300, seed=5)
    emulator.load_folder(tmp_path / "tables", project="priced-project")
    asked = {"market": "zl", "as_of": None, "usd_per_tib": 2.0**40}
    found = inventory({**asked, "warehouse": emulator.url("priced-project")})
    local = inventory({**asked, "warehouse": str(tmp_path / "tables")})
    prices = found["tables"]["yahoo_finance_comprehensive.biofuel_components_canonical"]
    reads = {read["purpose"]: read for read in prices["reads"]}
    assert reads.keys() == {"gate", "series"}
    # Date and numbers: eight bytes each.
    assert reads["gate"]["bytes"] == prices["rows"] * prices["columns"] * 8
    assert reads["series"]["bytes"] == reads["gate"]["bytes"]  # the simulated table has no other column
    assert prices["bytes_read"] == prices["cost_usd"] == reads["gate"]["bytes"] + reads["series"]["bytes"]
    assert found["total"]["cost_usd"] == sum(table["cost_usd"] for table in found["tables"].values())
    assert {n: t["rows"] for n, t in found["tables"].items()} == {n: t["rows"] for n, t in local["tables"].items()}
    assert (found["billed"], local["billed"], local["total"]["bytes_read"]) == (True, False, 0)
    json.dumps([found, local], allow_nan=False)
