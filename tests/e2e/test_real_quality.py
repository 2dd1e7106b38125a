"""`cbi quality` on the owner's tables: every kind of flaw known to be there is found, and counted again with pandas."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyarrow import parquet

pytestmark = [pytest.mark.e2e, pytest.mark.real_data]

SOURCES, MODELS = "forecasting_data_warehouse", "models_v4"

PRESENT = {
    "all_null", "calendar_hole", "conflicting_duplicate", "constant", "duplicate_row", "empty_table", "frozen_run",
    "frozen_tail", "identical_columns", "load_time_as_date", "markup", "mislabelled", "modelled", "multiplied_rows",
    "non_positive", "non_session_row", "null_value", "ohlc_order", "opening_run", "other_target", "placeholder",
    "reference_date", "several_sources", "source_mismatch", "stale", "target_before_outcome", "target_units",
    "thin_volume", "unconfirmed_jump", "unit_break", "unsorted", "weekend_row", "wrong_type", "zero_as_missing",
}  # fmt: skip

REJECTED = {
    f"{SOURCES}.baltic_dry_index": "empty_table",
    f"{SOURCES}.hourly_prices": "empty_table",
    f"{SOURCES}.news_reuters": "empty_table",
    f"{SOURCES}.policy_rfs_volumes": "empty_table",
    f"{SOURCES}.realtime_prices": "empty_table",
    f"{SOURCES}.usda_wasde_soy": "empty_table",
    f"{SOURCES}.volatility_data": "empty_table",
    f"{SOURCES}.rapeseed_oil_prices": "mislabelled",
    f"{SOURCES}.usda_export_sales": "modelled",
    "models.enhanced_market_regimes": "modelled",
    f"{MODELS}.cftc_daily_filled": "modelled",
    f"{MODELS}.palm_price_daily_complete": "modelled",
    f"{MODELS}.usd_cny_daily_complete": "modelled",
    "neural.vw_big_eight_signals": "modelled",
    f"{MODELS}.rfs_mandates_daily": "all_null",
    f"{MODELS}.rin_prices_daily": "all_null",
}


class Quality:
    """The report of the gate, and the tables themselves."""

    def __init__(self, folder: Path, report: dict[str, Any]) -> None:
        self._folder, self.tables = folder, report["tables"]

    def frame(self, table: str) -> pd.DataFrame:
        # Several tables carry pandas metadata of a type that pandas does not know.
        return parquet.read_table(self._folder / f"{table}.parquet").replace_schema_metadata(None).to_pandas()

    def count(self, table: str, check: str, column: str | None = None) -> int:
        found = [f for f in self.tables[table]["findings"] if f["check"] == check]
        return sum(f["count"] for f in found if column is None or column in f["columns"])


@pytest.fixture(scope="module")
def quality(cbi: Callable[..., Any], real_warehouse: Path) -> Quality:
    done = cbi("quality", "--warehouse", str(real_warehouse), "--json")
    assert done.returncode == 0, done.stderr
    return Quality(real_warehouse, json.loads(done.stdout))


def test_every_kind_of_flaw_that_is_there_is_found(quality: Quality) -> None:
    found = {f["check"] for table in quality.tables.values() for f in table["findings"]}
    assert found == PRESENT


def test_findings_say_where_how_often_and_what_was_done(quality: Quality) -> None:
    assert len(quality.tables) == 64
    for name, table in quality.tables.items():
        assert table["rows"] == len(quality.frame(name)), name
        for finding in table["findings"]:
            assert finding["detail"], (name, finding)
            assert finding["check"] == "empty_table" or (finding["count"] > 0 and finding["done"]), (name, finding)
            assert finding["rows"] or finding["check"] in {
                "empty_table",
                "calendar_hole",
                "stale",
                "unsorted",
                "null_value",
            }, (name, finding)


def test_mislabelled_empty_and_modelled_tables_are_rejected(quality: Quality) -> None:
    rejected = {name for name, table in quality.tables.items() if table["verdict"] == "rejected"}
    assert rejected == set(REJECTED)
    for name, check in REJECTED.items():
        reasons = {f["check"] for f in quality.tables[name]["findings"] if f["severity"] == "rejected"}
        assert check in reasons, name


def test_targets_are_found_out(quality: Quality) -> None:
    table = f"{MODELS}.production_training_data_12m"
    frame = quality.frame(table).sort_values("date").dropna(subset="target_12m")
    target = frame["target_12m"].to_numpy()
    tail = next(i for i in range(1, len(target)) if target[-1 - i] != target[-1])
    assert quality.count(table, "frozen_tail", "target_12m") == tail
    # Rows without a session and second rows of a day are counted elsewhere.
    assert 0.99 * len(target) <= quality.count(table, "target_units", "target_12m") <= len(target)
    # The last price is of 2025-05-16: 252 sessions before it lies 2024-05-15.
    days = pd.to_datetime(frame["date"]).drop_duplicates()
    early = days[(days > pd.Timestamp("2024-05-15")) & (days.dt.dayofweek < 5)]
    assert abs(quality.count(table, "target_before_outcome", "target_12m") - len(early)) <= 2
    others = {"target_1w", "target_3m", "target_6m"} & set(frame.columns)
    assert others
    for other in others:
        assert quality.count(table, "other_target", other) == 1


def test_rows_and_values_are_counted_as_pandas_counts_them(quality: Quality) -> None:
    corn = quality.frame(f"{SOURCES}.corn_prices")
    names = [c for c in ("open", "high", "low", "close") if c in corn.columns]
    names = names or ["open_price", "high_price", "low_price", "close_price"]
    opened, high, low, close = (corn[name].astype(float) for name in names)
    slack = 1e-6 * close.abs()
    broken = (pd.concat([opened, close], axis=1).max(axis=1) > high + slack) | (
        pd.concat([opened, close], axis=1).min(axis=1) < low - slack
    )
    assert quality.count(f"{SOURCES}.corn_prices", "ohlc_order") == int(broken.sum())

    wide = f"{MODELS}.production_training_data_6m"
    frame = quality.frame(wide)
    days = pd.to_datetime(frame["date"])
    assert quality.count(wide, "weekend_row") == int((days.dt.dayofweek >= 5).sum())
    assert quality.count(wide, "zero_as_missing", "palm_lag1") == int((frame["palm_lag1"] == 0).sum())
    assert quality.count(wide, "all_null") == int(frame.drop(columns="date").isna().all().sum())

    news = quality.frame(f"{SOURCES}.news_advanced")
    texts = news.select_dtypes("object").astype(str)
    marked = texts.apply(
        lambda column: column.str.contains(r"<(?:a|p|div|br|span|img)\b|&(?:amp|nbsp|#\d+);", case=False)
    )
    assert marked.to_numpy().any()
    assert quality.count(f"{SOURCES}.news_advanced", "markup") >= int(marked.any(axis=1).sum())


def test_units_instruments_and_load_times_are_found_out(quality: Quality) -> None:
    rapeseed = quality.frame(f"{SOURCES}.rapeseed_oil_prices")
    assert quality.count(f"{SOURCES}.rapeseed_oil_prices", "mislabelled") >= 0.9 * len(rapeseed)
    weather = quality.frame(f"{SOURCES}.weather_data")
    fahrenheit = weather[weather["temp_max"] > 58]
    assert len(fahrenheit) > 0
    assert quality.count(f"{SOURCES}.weather_data", "unit_break", "temp_max") >= len(fahrenheit)
    rich = f"{MODELS}.trump_rich_2023_2025"
    # One row lies on a day of mourning on which the exchange was closed.
    assert quality.count(rich, "unit_break", "crush_spread") == quality.frame(rich)["crush_spread"].notna().sum() - 1
    for horizon in ("6m", "12m"):
        assert quality.count(f"{MODELS}.production_training_data_{horizon}", "source_mismatch", "zl_price_current") > 60
    news = quality.frame(f"{SOURCES}.news_intelligence")
    assert 0.5 * len(news) < quality.count(f"{SOURCES}.news_intelligence", "load_time_as_date") <= len(news)
    assert quality.count(f"{SOURCES}.copper_prices", "stale") > 1000
