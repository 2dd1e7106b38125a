"""The owner's tables: what is known to be wrong in them is found, and what comes out is the market."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from cbi_common.core.horizon import Horizon
from cbi_common.events.data import DataExported
from cbi_common.events.manifest import RunManifest
from cbi_common.storage.lake import Lake
from cbi_common.storage.tables import get_table
from cbi_common.timeseries.calendar import session_date
from ingest import jobs

pytestmark = pytest.mark.real_data

WAREHOUSE = Path(os.environ.get("REAL_WAREHOUSE", "../shared/data/warehouse"))
SOURCES = "forecasting_data_warehouse"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return Lake(str(tmp_path_factory.mktemp("lake")))


def export(lake: Lake, as_of: str | None) -> DataExported:
    argument = {"lake": lake.url, "warehouse": str(WAREHOUSE), "market": "zl", "profile": "quick", "as_of": as_of}
    return DataExported.model_validate(jobs.export(argument)["exported"])


@pytest.fixture(scope="module")
def exported(lake: Lake) -> DataExported:
    return export(lake, "2025-05-16")


@pytest.fixture(scope="module")
def full(lake: Lake, exported: DataExported) -> pa.Table:
    return get_table(lake, exported.datasets["full"].ref)


@pytest.fixture(scope="module")
def report(lake: Lake, exported: DataExported) -> dict[str, Any]:
    assert exported.quality_report is not None
    found: dict[str, Any] = lake.get_json(exported.quality_report)["tables"]
    return found


def test_known_flaws_are_counted(report: dict[str, Any]) -> None:
    def found(table: str, check: str, series: str) -> dict[str, Any]:
        entries = report[table]["findings"]
        return next(e for e in entries if e["check"] == check and e["detail"].startswith(f"{series}: "))

    prices = "yahoo_finance_comprehensive.biofuel_components_canonical"
    assert "-37.63 on 2020-04-20" in found(prices, "non_positive", "cl")["detail"]
    assert found(f"{SOURCES}.usd_index_prices", "duplicate_row", "dxy")["count"] == 4836
    assert found(f"{SOURCES}.usd_index_prices", "several_sources", "dxy")["count"] == 503
    assert found(f"{SOURCES}.currency_data", "duplicate_row", "usd_brl")["count"] == 6154
    assert found(f"{SOURCES}.currency_data", "unconfirmed_jump", "usd_myr")["count"] == 5
    assert found(f"{SOURCES}.soybean_oil_prices_historical_view", "ohlc_order", "zl_high")["count"] == 699
    assert found(f"{SOURCES}.soybean_oil_prices_historical_view", "zero_as_missing", "zl_volume")["count"] == 47
    assert found(f"{SOURCES}.cftc_cot", "calendar_hole", "open_interest")["count"] == 12


def test_every_table_has_a_verdict(exported: DataExported) -> None:
    verdicts = {name: quality.verdict for name, quality in exported.quality.items()}
    assert len(verdicts) == 64
    empty = {name for name, quality in exported.quality.items() if quality.rows == 0}
    assert len(empty) == 7
    assert {verdicts[name] for name in empty} == {"rejected"}


def test_the_price_is_the_market(exported: DataExported, full: pa.Table) -> None:
    price, sessions = full["price"].to_numpy(), full["session"].to_numpy()
    assert (exported.warehouse, exported.simulated, full.num_rows) == ("warehouse", False, 6250)
    assert price[-1] == pytest.approx(48.93, abs=0.01)
    assert (price.min(), price.max()) == (pytest.approx(14.38, abs=0.01), pytest.approx(90.60, abs=0.01))
    assert (np.diff(sessions) > 0).all()
    week = np.abs(price[:-5] / price[5:] - 1)
    assert 0.02 < week.mean() < 0.05


def test_features_lie_where_the_trade_expects_them(full: pa.Table) -> None:
    medians = {"crush_margin": (0.3, 2.0), "oil_share": (0.3, 0.5), "boho_spread": (-0.5, 2), "zl_vol_21": (0.15, 0.35)}
    for name, (low, high) in medians.items():
        assert low < np.nanmedian(full[name].to_numpy()) < high, name
    for name in (column for column in full.column_names if column.endswith(("_return_5", "_return_21", "_zscore_252"))):
        known = full[name].to_numpy()[~np.isnan(full[name].to_numpy())]
        assert abs(np.median(known)) < 0.7, name
    live = {name: full[name][-1].as_py() for name in full.column_names[3:]}
    assert [name for name, value in live.items() if np.isnan(value)] == []


def test_the_run_scores_five_horizons_over_sixty_periods(lake: Lake, exported: DataExported) -> None:
    assert exported.manifest is not None
    manifest = RunManifest.model_validate(lake.get_json(exported.manifest))
    assert set(manifest.windows) == set(Horizon)
    assert all((w.end - w.start) // 5 + 1 >= 250 for w in manifest.windows.values())
    # Palm oil begins in October 2020: a refit before it does without, a later one does not.
    starts = manifest.usable_from["full"]
    assert manifest.refits[0].session < starts["palm_return_21"] < manifest.refits[-1].session
    assert session_date(starts["palm_return_21"]) > date(2021, 1, 1)
    assert set(starts) == set(get_table(lake, manifest.datasets["full"]).column_names[3:])


def test_a_day_earlier_is_the_same_without_its_last_row(lake: Lake, exported: DataExported, full: pa.Table) -> None:
    before = export(lake, "2025-05-15")
    table = get_table(lake, before.datasets["full"].ref)
    assert table.num_rows == full.num_rows - 1
    for name in table.column_names:
        assert table[name].to_numpy().tobytes() == full[name].to_numpy()[:-1].tobytes(), name
