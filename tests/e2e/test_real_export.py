"""`cbi export` on the owner's tables: the plan's files, their targets checked against pandas."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pandas_market_calendars
import pytest
from pyarrow import parquet

SESSIONS = {"1w": 5, "1m": 21, "3m": 63, "6m": 126, "12m": 252}
WIDE = {
    "trump_rich_2023_2025": "trump_rich_2023_2025",
    **{f"production_training_data_{h}": f"production_training_data_{h}" for h in SESSIONS},
}
ERAS = {
    "trump_2.0_2023_2025": [("2023-01-01", "2025-12-31")],
    "trade_war_2017_2019": [("2017-01-01", "2019-12-31")],
    "inflation_2021_2022": [("2021-01-01", "2022-12-31")],
    "crisis_2008_2020": [("2008-01-01", "2009-12-31"), ("2020-01-01", "2020-12-31")],
}

pytestmark = [pytest.mark.e2e, pytest.mark.real_data]


@pytest.fixture(scope="module")
def exported(
    cbi: Callable[..., Any], real_warehouse: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    root = tmp_path_factory.mktemp("export")
    where = ("--warehouse", str(real_warehouse), "--lake", str(root / "lake"), "--to", str(root / "out"))
    done = cbi("export", *where, "--as-of", "2025-05-16", "--json")
    assert done.returncode == 0, done.stderr
    return root / "out", json.loads(done.stdout)


def owned(warehouse: Path, table: str) -> pd.DataFrame:
    """A table of the owner; pandas itself refuses the type names in its metadata."""
    return parquet.read_table(warehouse / f"{table}.parquet").replace_schema_metadata(None).to_pandas()


def canonical_close(warehouse: Path) -> pd.Series:
    """The close of every CBOT session, straight from the owner's table."""
    name = "yahoo_finance_comprehensive.biofuel_components_canonical"
    raw = owned(warehouse, name)[["date", "soybean_oil_price_cwt"]].dropna()
    raw["date"] = pd.to_datetime(raw["date"])
    close = raw.drop_duplicates().set_index("date")["soybean_oil_price_cwt"].sort_index()
    assert close.index.is_unique
    calendar = pandas_market_calendars.get_calendar("CBOT_Agriculture")
    days = calendar.valid_days("2000-01-01", "2025-05-16").tz_localize(None)
    return close.reindex(days)[lambda x: x.index <= "2025-05-16"]


def test_every_file_of_the_plan_is_there_and_is_what_the_manifest_says(exported: tuple[Path, dict[str, Any]]) -> None:
    folder, manifest = exported
    expected = {f"{name}.parquet" for name in (*WIDE, *ERAS, "historical_full")}
    assert {path.name for path in folder.iterdir()} == {*expected, "manifest.json"}
    assert json.loads((folder / "manifest.json").read_text(encoding="utf-8")) == manifest
    assert manifest["files"].keys() == expected
    # The data begins in 2000: nothing is made up for the years before.
    assert manifest["skipped"].keys() == {"historical_pre2000.parquet"}
    for name, about in manifest["files"].items():
        data = (folder / name).read_bytes()
        assert (sha256(data).hexdigest(), len(data)) == (about["sha256"], about["size_bytes"])
        table = pd.read_parquet(folder / name)
        assert list(table.columns) == about["columns"]
        assert len(table) == about["rows"] > 500
        assert not [c for c in table.columns if table[c].isna().all()]


def test_prices_and_targets_are_those_of_the_canonical_close(
    exported: tuple[Path, dict[str, Any]], real_warehouse: Path
) -> None:
    folder, manifest = exported
    close = canonical_close(real_warehouse)
    for name in manifest["files"]:
        table = pd.read_parquet(folder / name).set_index("date")
        table.index = pd.to_datetime(table.index)
        assert np.allclose(table["price"], close[table.index])
        targets = [column for column in table.columns if column.startswith("target_")]
        assert targets
        for target in targets:
            ahead = close.shift(-SESSIONS[target.removeprefix("target_")])
            expected = np.log(ahead / close)[table.index]
            assert np.allclose(table[target], expected, equal_nan=True), (name, target)
            assert table[target].notna().sum() == manifest["files"][name]["known_targets"][target] > 50


@pytest.mark.parametrize(("name", "periods"), ERAS.items())
def test_an_era_file_holds_the_rows_of_its_years(
    exported: tuple[Path, dict[str, Any]], name: str, periods: list[tuple[str, str]]
) -> None:
    full, era = (pd.read_parquet(exported[0] / f"{file}.parquet") for file in ("historical_full", name))
    days = pd.to_datetime(full["date"])
    wanted = full[np.logical_or.reduce([days.between(*period) for period in periods])].reset_index(drop=True)
    same = [column for column in era.columns if not column.startswith("weight_")]
    pd.testing.assert_frame_equal(era[same], wanted[same])
    assert {c for c in full.columns if wanted[c].notna().any()} == set(era.columns)


@pytest.mark.parametrize(("name", "table"), WIDE.items())
def test_a_wide_file_says_what_it_left_out(
    exported: tuple[Path, dict[str, Any]], real_warehouse: Path, name: str, table: str
) -> None:
    about = exported[1]["files"][f"{name}.parquet"]
    columns = set(owned(real_warehouse, f"models_v4.{table}").columns) - {"date"}
    kept = set(about["columns"]) & columns
    assert kept | about["dropped_columns"].keys() == columns
    assert kept - {c for c in kept if c.startswith("target_")} == set(about["usable_from"])
    assert {c for c in columns if c.startswith("target_")} <= about["dropped_columns"].keys()
    assert about["source"] == f"models_v4.{table}"
    own = {target["column"]: target for target in about["own_targets"]}
    # What the owner calls a month is 30 rows: the table's targets are not what their names say.
    assert own["target_1m"]["share_equal"] < 0.1
    assert (own["target_1m"]["nearest_lead_sessions"], own["target_1m"]["nearest_lead_share"] > 0.8) == (30, True)


def test_known_flaws_of_the_tables_are_in_the_manifest(exported: tuple[Path, dict[str, Any]]) -> None:
    files = exported[1]["files"]
    year = {t["column"]: t for t in files["production_training_data_12m.parquet"]["own_targets"]}
    assert (year["target_12m"]["unit"], year["target_12m"]["filled_before_outcome"]) == ("return", 193)
    assert year["target_1w"]["frozen_tail"] == year["target_3m"]["frozen_tail"] == 71
    rows = files["production_training_data_6m.parquet"]["table"]
    assert (rows["rows"], rows["non_session_rows"], rows["sessions_without_row"]) == (1299, 31, 83)
    dropped = files["trump_rich_2023_2025.parquet"]["dropped_columns"]
    assert dropped["zl_f_rsi_14"].startswith("constant: 50 in all")
    assert dropped["rin_d4_price"].startswith("mislabelled")
    month = files["production_training_data_1m.parquet"]["dropped_columns"]
    assert month["seasonal_index"].startswith("looks ahead")
    assert month["usd_index"] == "identical_columns: equal to dollar_index throughout"
    kish = files["historical_full.parquet"]["effective_rows"]
    assert kish["plan"] < kish["capped"] < kish["uniform"] == files["historical_full.parquet"]["rows"]
