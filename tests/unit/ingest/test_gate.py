"""The gate on the simulated market: nothing is found in clean tables, every planted flaw is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from cbi_common.markets import Market
from ingest.domain.flaws import Flaw
from ingest.domain.gate import Verdict, examine
from ingest.domain.tables import Source

Floats = NDArray[np.float64]

PRICES = "yahoo_finance_comprehensive.biofuel_components_canonical"
BARS = "forecasting_data_warehouse.soybean_oil_prices_historical_view"
RATES = "forecasting_data_warehouse.currency_data"
VIX = "forecasting_data_warehouse.vix_daily"
YIELD = "forecasting_data_warehouse.treasury_prices"
GONE = Source(None, trouble=Flaw("missing_table", "rejected", 0, "the warehouse has no such table"))
OIL = "soybean_oil_price_cwt"


def with_values(source: Source, column: str, change: Callable[[Floats], Floats]) -> Source:
    assert source.table is not None
    at = source.table.schema.get_field_index(column)
    return replace(
        source, table=source.table.set_column(at, column, pa.array(change(source.table[column].to_numpy().copy())))
    )


def with_table(source: Source, change: Callable[[pa.Table], pa.Table]) -> Source:
    assert source.table is not None
    return replace(source, table=change(source.table))


def put(rows: slice | list[int], value: float) -> Callable[[Floats], Floats]:
    def change(values: Floats) -> Floats:
        values[rows] = value
        return values

    return change


def judged(
    market: Market, clean: Mapping[str, Source], name: str, source: Source, as_of: date | None = None
) -> Verdict:
    return examine(market, {**clean, name: source}, as_of)


def checks_of(verdict: Verdict, table: str) -> set[str]:
    return {finding.check for finding in verdict.quality[table].findings}


def test_nothing_is_found_in_clean_tables(market: Market, clean: dict[str, Source]) -> None:
    verdict = examine(market, clean, None)
    assert verdict.refusal is None
    assert verdict.lost == {}
    assert {name: quality.verdict for name, quality in verdict.quality.items()} == dict.fromkeys(clean, "ok")
    notes = {(f.check, f.severity, *f.columns) for quality in verdict.quality.values() for f in quality.findings}
    lagged = [[s.value for s in specs if s.release_lag_sessions] for specs in market.tables.values()]
    assert ["open_interest", "commercial_net", "commercial_long", "commercial_short"] in lagged
    assert notes == {("reference_date", "info", *columns) for columns in lagged if columns}
    assert verdict.as_of == date(2025, 5, 16)
    assert set(verdict.series) == set(market.by_name)


@pytest.mark.parametrize("intensity", [1, 3, 10])
@pytest.mark.parametrize(
    ("column", "value", "check"),
    [
        ("crude_oil_price_bbl", -37.63, "non_positive"),
        ("crude_oil_price_bbl", 0.0, "zero_as_missing"),
        ("soybean_price_cents_bu", 10.5, "unit_break"),
        (OIL, 4100.0, "unit_break"),
        ("soybean_price_cents_bu", 5_555.0, "out_of_range"),
        (OIL, 333_333.0, "out_of_range"),
    ],
)
def test_impossible_values_are_found_at_any_intensity(
    market: Market, clean: dict[str, Source], column: str, value: float, check: str, intensity: int
) -> None:
    rows = list(range(100, 100 + 7 * intensity, 7))
    verdict = judged(market, clean, PRICES, with_values(clean[PRICES], column, put(rows, value)))
    found = next(finding for finding in verdict.quality[PRICES].findings if finding.check == check)
    assert found.count == intensity
    assert verdict.quality[PRICES].verdict == "repaired"
    assert verdict.refusal is None


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (lambda t: pa.concat_tables([t, t.slice(10, 5)]), "duplicate_row"),
        (lambda t: t.take(pa.array(np.random.default_rng(1).permutation(t.num_rows))), "unsorted"),
        (lambda t: pa.concat_tables([t.slice(0, 300), t.slice(340)]), "calendar_hole"),
    ],
)
def test_flaws_of_rows_are_found(
    market: Market, clean: dict[str, Source], change: Callable[[pa.Table], pa.Table], check: str
) -> None:
    for table in (PRICES, RATES, VIX):
        verdict = judged(market, clean, table, with_table(clean[table], change))
        assert check in checks_of(verdict, table)
        assert verdict.refusal is None


def test_shuffled_and_repeated_tables_give_the_same_series(market: Market, clean: dict[str, Source]) -> None:
    def spoil(table: pa.Table) -> pa.Table:
        rng = np.random.default_rng(2)
        return table.take(
            pa.array(np.concatenate([rng.permutation(table.num_rows), rng.integers(0, table.num_rows, 50)]))
        )

    spoiled = examine(market, {name: with_table(source, spoil) for name, source in clean.items()}, None)
    plain = examine(market, clean, None)
    assert spoiled.series.keys() == plain.series.keys()
    for name, rows in plain.series.items():
        assert np.array_equal(rows.values, spoiled.series[name].values)
        assert np.array_equal(rows.sessions, spoiled.series[name].sessions)


def test_conflicting_prices_of_one_day_are_repaired_and_reported(market: Market, clean: dict[str, Source]) -> None:
    def twice(table: pa.Table) -> pa.Table:
        at = table.schema.get_field_index("close")
        wrong = table.slice(50, 3)
        return pa.concat_tables([table, wrong.set_column(at, "close", pa.array(wrong["close"].to_numpy() * 1.1))])

    verdict = judged(market, clean, VIX, with_table(clean[VIX], twice))
    assert "conflicting_duplicate" in checks_of(verdict, VIX)
    assert np.array_equal(verdict.series["vix"].values, examine(market, clean, None).series["vix"].values)


def test_a_broken_bar_loses_its_range_and_keeps_its_close(market: Market, clean: dict[str, Source]) -> None:
    verdict = judged(market, clean, BARS, with_values(clean[BARS], "high", put([400, 500], 6.0)))
    plain = examine(market, clean, None)
    assert "ohlc_order" in checks_of(verdict, BARS)
    for name in ("zl_open", "zl_high", "zl_low"):
        assert len(verdict.series[name]) == len(plain.series[name]) - 2
    assert len(verdict.series["zl"]) == len(plain.series["zl"])


def test_a_frozen_driver_is_unknown_and_a_frozen_price_stops_the_run(market: Market, clean: dict[str, Source]) -> None:
    driver = judged(
        market, clean, PRICES, with_values(clean[PRICES], "corn_price_cents_bu", put(slice(-40, None), 400.0))
    )
    assert {"frozen_tail", "stale"} <= checks_of(driver, PRICES)
    assert driver.refusal is None
    price = judged(market, clean, PRICES, with_values(clean[PRICES], OIL, put(slice(-40, None), 40.0)))
    assert price.refusal is not None
    assert (price.refusal.table, price.refusal.flaw.check, price.refusal.flaw.count) == (PRICES, "frozen_tail", 30)
    assert price.refusal.flaw.rows


def test_a_placeholder_column_is_dropped_with_its_reason(market: Market, clean: dict[str, Source]) -> None:
    verdict = judged(market, clean, YIELD, with_values(clean[YIELD], "close", put(slice(None), 2.0)))
    assert verdict.refusal is None
    assert verdict.quality[YIELD].verdict == "rejected"
    assert "us10y" not in verdict.series
    assert verdict.lost["us10y"].startswith("constant: us10y: 2 in all 900 rows")


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (lambda t: t.drop_columns([OIL]), "missing_column"),
        (lambda t: t.set_column(t.column_names.index(OIL), OIL, pa.array(["n/a"] * t.num_rows)), "wrong_type"),
        (lambda t: t.slice(0, 0), "empty_table"),
        (
            lambda t: t.set_column(t.column_names.index(OIL), OIL, pa.array([None] * t.num_rows, pa.float64())),
            "all_null",
        ),
    ],
)
def test_a_price_that_cannot_be_used_stops_the_run(
    market: Market, clean: dict[str, Source], change: Callable[[pa.Table], pa.Table], check: str
) -> None:
    spoiled = with_table(clean[PRICES], change)
    assert spoiled.table is not None
    verdict = judged(market, clean, PRICES, replace(spoiled, columns=tuple(spoiled.table.column_names)))
    assert verdict.refusal is not None
    assert (verdict.refusal.table, verdict.refusal.flaw.check) == (PRICES, check)


@pytest.mark.parametrize("name", [YIELD, RATES, BARS])
def test_a_missing_driver_table_costs_its_series_and_nothing_else(
    market: Market, clean: dict[str, Source], name: str
) -> None:
    verdict = judged(market, clean, name, GONE)
    assert verdict.refusal is None
    assert set(verdict.lost) == {series.name for series in market.tables[name]}
    assert verdict.quality[name].verdict == "rejected"


def test_a_required_series_stops_the_run_when_it_is_missing_or_stale(market: Market, clean: dict[str, Source]) -> None:
    assert market.by_name["vix"].required
    missing = judged(market, clean, VIX, GONE)
    assert missing.refusal is not None
    assert (missing.refusal.table, missing.refusal.flaw.check) == (VIX, "missing_table")
    stale = judged(market, clean, VIX, with_table(clean[VIX], lambda table: table.slice(0, table.num_rows - 4)))
    assert stale.refusal is not None
    assert (stale.refusal.table, stale.refusal.flaw.check) == (VIX, "stale")
    held = judged(market, clean, VIX, with_table(clean[VIX], lambda table: table.slice(0, table.num_rows - 3)))
    assert held.refusal is None


@pytest.mark.parametrize(
    ("as_of", "check"), [(date(1950, 1, 2), "as_of"), (date(2025, 5, 27), "stale"), (date(2031, 1, 1), "stale")]
)
def test_an_as_of_that_the_prices_do_not_reach_is_refused(
    market: Market, clean: dict[str, Source], as_of: date, check: str
) -> None:
    verdict = examine(market, clean, as_of)
    assert verdict.refusal is not None
    assert verdict.refusal.flaw.check == check
    assert as_of.isoformat() in verdict.refusal.flaw.detail


def test_a_sunday_is_the_friday_before_it(market: Market, clean: dict[str, Source]) -> None:
    sunday, friday = examine(market, clean, date(2025, 5, 11)), examine(market, clean, date(2025, 5, 9))
    assert sunday.as_of == friday.as_of == date(2025, 5, 9)
    assert all(np.array_equal(sunday.series[n].values, friday.series[n].values) for n in market.by_name)


def test_nothing_after_as_of_is_looked_at(market: Market, clean: dict[str, Source]) -> None:
    spoiled = {
        name: replace(
            source, table=None if source.table is None else poisoned(source.table, market.tables[name][0].date)
        )
        for name, source in clean.items()
    }
    as_of = date(2024, 6, 28)
    plain, poison = examine(market, clean, as_of), examine(market, spoiled, as_of)
    assert poison.quality == plain.quality
    assert all(np.array_equal(plain.series[n].values, poison.series[n].values) for n in market.by_name)


def poisoned(table: pa.Table, column: str) -> pa.Table:
    later = np.flatnonzero(table[column].to_numpy() > np.datetime64("2024-06-28"))
    for i, name in enumerate(table.column_names):
        if pa.types.is_floating(table.schema.field(name).type):
            values = table[name].to_numpy().copy()
            values[later] = -1.0
            table = table.set_column(i, name, pa.array(values))
    return table
