"""The plan's wide tables of the simulated market: ``production_training_data_*`` and ``trump_rich_2023_2025``.

Their targets are what targets should be: the price h sessions later, in the unit that the market file says they have,
null until it is known.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from cbi_common.core.horizon import Horizon
from cbi_common.markets.datasets import TargetUnit
from cbi_common.markets.simulation import rolling
from cbi_common.markets.simulation.process import Days, Floats

Columns = dict[str, np.ndarray[Any, Any]]

PRODUCTION = {f"models_v4.production_training_data_{horizon}": horizon for horizon in Horizon}
TRUMP_RICH = "models_v4.trump_rich_2023_2025"
WIDE_TABLES = (*PRODUCTION, TRUMP_RICH)

_TRUMP_RICH_SINCE = np.datetime64("2023-01-01")

# Column of trump_rich to the column of the production tables that says the same.
_SAME = {
    "zl_f_close": "zl_price_current", "zl_ma_7d": "ma_7d", "zl_f_volume": "zl_volume",
    "china_us_imports_mt": "cn_imports", "argentina_tax_pct": "argentina_export_tax",
    "china_cancellation": "china_posts", "vix": "vix_level", "vix_spike_flag": "vix_spike_lag1",
    "dxy": "dollar_index", "rin_d4_price": "rin_d4_price", "rin_d5_price": "rin_d5_price",
    "biodiesel_price": "biofuel_crack", "ethanol_price": "ethanol_spread",
    "biodiesel_mandate_gal": "rfs_mandate_biodiesel", "soybean_oil_biodiesel_pct": "export_capacity_index",
    "trump_agricultural_impact": "trump_agricultural_impact_30d",
    "trump_soybean_relevance": "trump_soybean_relevance_30d", "trump_confidence": "lead_signal_confidence",
    "trump_post_count": "trump_mentions", "trump_weighted_impact": "trump_policy_impact_avg",
    "trump_impact_ma_7d": "trump_policy_7d", "zl_f_rsi_14": "rsi_14", "zl_f_macd_hist": "macd_histogram",
    "adm_close": "adm_close", "bg_close": "bg_close", "dar_close": "dar_close",
    "zl_f_open_int": "cftc_open_interest", "vix_stress": "feature_vix_stress",
    "china_relations": "feature_china_relations", "tariff_threat": "feature_tariff_threat",
    "biofuel_cascade": "feature_biofuel_cascade", "big8_composite": "big8_composite_score",
    "market_stress_level": "social_post_count", "cftc_net_position": "cftc_commercial_net",
    "social_sentiment": "social_sentiment_avg", "social_extreme": "trump_policy_impact_max",
    "us_export_mt": "soybean_weekly_sales",
}  # fmt: skip


def production_table(
    days: Days, price: Floats, columns: Columns, horizon: Horizon, unit: TargetUnit = "price"
) -> pa.Table:
    """Return ``production_training_data_<horizon>``.

    Parameters
    ----------
    days : (n,) datetime64[D]
    price : (n,) float64
    columns : name to (n,) values
        From `cbi_common.markets.simulation.columns.make_columns`.
    horizon : Horizon
    unit : "price" or "return"
        Of the target: the price, or the simple return to it.
    """
    later = _target(price, horizon)
    target = later if unit == "price" else np.round(later / price - 1, 6)
    return _table(days, {f"target_{horizon}": target, **columns})


def trump_rich_table(days: Days, price: Floats, columns: Columns) -> pa.Table:
    """Return ``trump_rich_2023_2025``; the arguments are those of `production_table`."""
    since = days >= _TRUMP_RICH_SINCE
    found = {name: columns[source] for name, source in _SAME.items()} | _derived(price, columns)
    found[f"target_{Horizon.M1}"] = _target(price, Horizon.M1)
    return _table(days[since], {name: values[since] for name, values in found.items()})


def _derived(price: Floats, columns: Columns) -> Columns:
    vix, rin, imports = columns["vix_level"], columns["rin_d4_price"], columns["cn_imports"]
    tax, premium = columns["argentina_export_tax"], 20 + 8 * columns["china_sentiment"]
    found = {
        "zs_f_close": columns["bean_price_per_bushel"],
        "zm_f_close": columns["meal_price_per_ton"] / 2000,
        "crush_spread": 100 * columns["crush_margin"],
        "zl_daily_change": price - rolling.lag(price, 1),
        "zl_volatility_20d": rolling.deviation(price, 20),
        "brazil_premium_usd": premium,
        "china_import_mom": imports - rolling.lag(imports, 21),
        "brazil_premium_ratio": premium / price,
        "brazil_argentina_spread": premium - tax,
        "vix_lag_3d": rolling.lag(vix, 3),
        "vix_daily_change": vix - rolling.lag(vix, 1),
        "dxy_5d_change": columns["dollar_index"] - rolling.lag(columns["dollar_index"], 5),
        "rin_7d_change": rin - rolling.lag(rin, 7),
        "rin_zl_ratio": rin / price,
        "cftc_position_change": columns["cftc_commercial_net"] - rolling.lag(columns["cftc_commercial_net"], 21),
        "vix_trump_interaction": vix * columns["trump_mentions"],
        "vix_china_interaction": vix * columns["feature_china_relations"],
        "vix_big8_interaction": vix * columns["big8_composite_score"],
        "amplified_trump_signal": vix * columns["trump_policy_impact_avg"] / 20,
    }
    return {name: np.round(values, 6) for name, values in found.items()}


def _target(price: Floats, horizon: Horizon) -> Floats:
    later = np.full(len(price), np.nan)
    later[: -horizon.sessions] = price[horizon.sessions :]
    return later


def _table(days: Days, columns: Columns) -> pa.Table:
    arrays = {name: pa.array(values, from_pandas=True) for name, values in columns.items()}
    return pa.table({"date": pa.array(days), **arrays})
