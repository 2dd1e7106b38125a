"""Every kind of flaw of the owner's tables, to be put into clean ones: each a pure function, named and placed.

The gate has to find all of them (``tests/unit/ingest``), and ``cbi simulate --flaws`` shows them.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cbi_common.core.errors import UsageError
from cbi_common.markets.flaws import numbers, rows, targets, texts
from cbi_common.markets.flaws.spoiled import Injector, Place, Spoiled

__all__ = ["FLAWS", "INTENSITIES", "Flaw", "Injector", "Place", "Spoiled", "parse_flaws", "spoil"]

INTENSITIES = (1, 2, 3)
"""Slight, plain, gross."""


@dataclass(frozen=True)
class Flaw:
    """A kind of flaw: the check that must find it, where it is put unless told otherwise, and who puts it there."""

    check: str
    place: Place
    inject: Injector
    tells_column: bool = True
    """Whether a finding can name the column."""


_RAW = "forecasting_data_warehouse"
_PRICES = "yahoo_finance_comprehensive.biofuel_components_canonical"
_BARS, _VIX, _DXY = f"{_RAW}.soybean_oil_prices_historical_view", f"{_RAW}.vix_daily", f"{_RAW}.usd_index_prices"
_FX, _PALM, _YIELD = (f"{_RAW}.{name}" for name in ("currency_data", "palm_oil_prices", "treasury_prices"))
_NEWS, _RICH = f"{_RAW}.news_advanced", "models_v4.trump_rich_2023_2025"
_W1, _M1, _M3, _M6, _M12 = (f"models_v4.production_training_data_{h}" for h in ("1w", "1m", "3m", "6m", "12m"))


def _prices(*columns: str) -> Place:
    return Place(_PRICES, "date", columns)


def _wide(table: str, *columns: str) -> Place:
    return Place(table, "date", columns)


FLAWS: Mapping[str, Flaw] = {
    "frozen_tail": Flaw("frozen_tail", _prices("corn_price_cents_bu"), numbers.frozen_tail),
    "frozen_tail_copy": Flaw("frozen_tail", _wide(_RICH, "zl_f_close"), numbers.frozen_tail),
    "frozen_target": Flaw("frozen_tail", _wide(_M3, "target_3m"), targets.frozen_target),
    "frozen_run": Flaw("frozen_run", _prices("soybean_meal_price_ton"), numbers.frozen_run),
    "source_mismatch": Flaw("source_mismatch", _wide(_M1, "zl_price_current"), numbers.other_values),
    "target_before_outcome": Flaw(
        "target_before_outcome", _wide(_M1, "target_1m", "zl_price_current"), targets.filled_before_outcome
    ),
    "other_target": Flaw("other_target", _wide(_W1, "target_1w", "zl_price_current"), targets.other_targets),
    "hidden_target": Flaw("other_target", _wide(_M3, "target_3m", "zl_price_current"), targets.hidden_targets),
    "target_units": Flaw("target_units", _wide(_M6, "target_6m", "zl_price_current"), targets.other_unit),
    "duplicate_row": Flaw("duplicate_row", Place(_VIX, "date"), rows.duplicate_rows, tells_column=False),
    "conflicting_duplicate": Flaw(
        "conflicting_duplicate", Place(_DXY, "time", ("close",)), rows.conflicting_rows, tells_column=False
    ),
    "multiplied_rows": Flaw("multiplied_rows", _wide(_M12, "news_avg_score"), rows.multiplied_rows, tells_column=False),
    "weekend_row": Flaw("weekend_row", Place(_PALM, "time"), rows.weekend_rows, tells_column=False),
    "non_session_row": Flaw("non_session_row", Place(_PRICES, "date"), rows.holiday_rows, tells_column=False),
    "calendar_hole": Flaw("calendar_hole", Place(_YIELD, "date"), rows.missing_sessions, tells_column=False),
    "all_null": Flaw("all_null", _wide(_W1, "rsi_14", "cn_imports", "avg_sentiment", "macd_line"), numbers.all_null),
    "constant": Flaw("constant", _wide(_M1, "crush_margin", "yoy_change", "atr_14", "bb_width"), numbers.constant),
    "placeholder": Flaw("placeholder", _wide(_M3, "rsi_14"), numbers.placeholder),
    "opening_run": Flaw("opening_run", _wide(_M6, "feature_biofuel_cascade"), numbers.opening_run),
    "identical_columns": Flaw("identical_columns", _wide(_M12, "crude_price"), numbers.identical_columns),
    "unit_break": Flaw("unit_break", Place(_PALM, "time", ("close",)), numbers.unit_break),
    "hundredfold": Flaw("unit_break", _wide(_RICH, "dxy"), numbers.hundredfold),
    "fahrenheit": Flaw("unit_break", _wide(_W1, "us_midwest_temp_c"), numbers.fahrenheit),
    "mislabelled": Flaw("mislabelled", _prices("sugar_price_cents_lb", "natural_gas_price_mmbtu"), numbers.mislabelled),
    "zero_as_missing": Flaw("zero_as_missing", _prices("gasoline_price_gal"), numbers.zeros),
    "non_positive": Flaw("non_positive", _prices("crude_oil_price_bbl"), numbers.negatives),
    "out_of_range": Flaw("out_of_range", _prices("heating_oil_price_gal"), numbers.impossible),
    "null_value": Flaw("null_value", _prices("soybean_price_cents_bu"), numbers.nulls),
    "unconfirmed_jump": Flaw("unconfirmed_jump", Place(_FX, "date", ("rate", "to_currency", "MYR")), numbers.misprints),
    "ohlc_order": Flaw("ohlc_order", Place(_BARS, "time", ("high", "low")), numbers.broken_bars, tells_column=False),
    "thin_volume": Flaw("thin_volume", Place(_BARS, "time", ("volume",)), numbers.thin_volume),
    "unsorted": Flaw("unsorted", Place(_YIELD, "date"), rows.shuffled_rows, tells_column=False),
    "stale": Flaw("stale", Place(_PALM, "time"), rows.stale_table, tells_column=False),
    "load_time_as_date": Flaw("load_time_as_date", Place(_YIELD, "date"), rows.load_time_as_date),
    "modelled": Flaw("modelled", Place(_YIELD, "date", ("close",)), numbers.modelled, tells_column=False),
    "interpolated": Flaw("modelled", Place(_PALM, "time", ("close",)), numbers.interpolated),
    "empty_table": Flaw("empty_table", Place(_FX, "date"), rows.no_rows, tells_column=False),
    "reference_date": Flaw(
        "reference_date", _wide(_M1, "cftc_commercial_net", "cftc_open_interest"), numbers.reference_date
    ),
    "markup": Flaw("markup", Place(_NEWS, "published_date", ("full_content",)), texts.markup),
    "injection": Flaw("injection", Place(_NEWS, "published_date", ("title",)), texts.injection),
    "wrong_type": Flaw("wrong_type", Place(_YIELD, "date", ("close",)), numbers.numbers_as_text),
    "missing_column": Flaw("missing_column", Place(_BARS, "time", ("open", "high", "low")), rows.no_column),
    "bad_date": Flaw("bad_date", Place(_VIX, "date"), rows.bad_dates),
    "several_sources": Flaw(
        "several_sources", Place(_DXY, "time", ("close", "symbol", "DXY")), rows.several_sources, tells_column=False
    ),
}
"""Name to flaw; by default no two that touch the same column, or the same rows, lie in one table."""


def spoil(
    name: str, tables: Mapping[str, pa.Table], intensity: int, seed: int, *, place: Place | None = None
) -> Spoiled:
    """Put a flaw into the table of its place.

    Parameters
    ----------
    name : str
        Key of ``FLAWS``.
    tables : name to clean table, ascending by date
    intensity : 1, 2 or 3
    seed : int
    place : Place or None
        None: where the flaw usually lies.

    Raises
    ------
    UsageError
        When there is no such flaw, intensity, table or column.
    """
    flaw = _known(name)
    where = place or flaw.place
    if intensity not in INTENSITIES:
        raise UsageError(f"intensity {intensity}", where=f"flaw {name}", hint="use 1, 2 or 3")
    if where.table not in tables:
        raise UsageError(f"no table {where.table!r}", where=f"flaw {name}", hint="put it into one that there is")
    rng = np.random.default_rng([seed, intensity, zlib.crc32(f"flaw {name}".encode())])
    return flaw.inject(tables[where.table], where, intensity, rng)


def parse_flaws(text: str) -> dict[str, int]:
    """Return flaws by name with their intensity (2 unless told).

    Raises
    ------
    UsageError
        For a flaw or intensity that there is none of.

    >>> parse_flaws("weekend_row,stale:3")
    {'weekend_row': 2, 'stale': 3}
    """
    found: dict[str, int] = {}
    for word in filter(None, (part.strip() for part in text.split(","))):
        name, _, intensity = word.partition(":")
        _known(name)
        if intensity not in ("", *map(str, INTENSITIES)):
            raise UsageError(f"intensity {intensity!r}", where=f"flaw {name}", hint="use 1, 2 or 3")
        found[name] = int(intensity or 2)
    return found


def _known(name: str) -> Flaw:
    if name not in FLAWS:
        raise UsageError(f"no flaw {name!r}", where="flaws", hint=f"known are: {', '.join(FLAWS)}")
    return FLAWS[name]
