"""Names and sizes of the columns of the wide training tables, by the kind of process that makes them.

A series is named as in the market file, or as in `OTHERS`; numbers beside it count rows.
"""

from __future__ import annotations

LEVELS = {
    "zl_price_current": "zl", "corn_price": "zc", "bean_price_per_bushel": "zs", "meal_price_per_ton": "zm",
    "palm_price": "palm", "crude_price": "cl", "vix_level": "vix", "dollar_index": "dxy", "usd_cny_rate": "usd_cny",
    "usd_brl_rate": "usd_brl", "usd_ars_rate": "usd_ars", "usd_myr_rate": "usd_myr", "treasury_10y_yield": "us10y",
    "heating_oil_price": "ho", "gasoline_price": "rb", "natural_gas_price": "ng", "sugar_price": "sb",
    "wheat_price": "wheat", "copper_close": "copper", "brent_close": "brent", "soyb_close": "soyb",
    "cftc_open_interest": "open_interest", "cftc_commercial_net": "commercial_net",
}  # fmt: skip

UNITS = {"bean_price_per_bushel": 0.01}
"""What a level is times its series: dollars of a bushel that is quoted in cents."""

LAGS = {
    "zl_price_lag1": ("zl", 1), "zl_price_lag7": ("zl", 7), "zl_price_lag30": ("zl", 30), "palm_lag1": ("palm", 1),
    "palm_lag2": ("palm", 2), "palm_lag3": ("palm", 3), "crude_lag1": ("cl", 1), "crude_lag2": ("cl", 2),
    "vix_lag1": ("vix", 1), "vix_lag2": ("vix", 2), "dxy_lag1": ("dxy", 1), "dxy_lag2": ("dxy", 2),
    "corn_lag1": ("zc", 1), "wheat_lag1": ("wheat", 1),
}  # fmt: skip

CHANGES = {
    "return_1d": ("zl", 1), "price_momentum_1w": ("zl", 5), "return_7d": ("zl", 7), "price_momentum_1m": ("zl", 21),
    "momentum_30d": ("zl", 30), "yoy_change": ("zl", 252), "palm_momentum_3d": ("palm", 3),
    "crude_momentum_2d": ("cl", 2), "wti_7d_change": ("cl", 7), "dxy_momentum_3d": ("dxy", 3),
    "dollar_index_7d_change": ("dxy", 7), "usd_cny_7d_change": ("usd_cny", 7), "usd_brl_7d_change": ("usd_brl", 7),
    "natgas_yahoo_roc_10": ("ng", 10), "nat_gas_impact": ("ng", 5), "soyb_momentum_10": ("soyb", 10),
}  # fmt: skip

MEANS = {
    "ma_7d": ("zl", 7), "ma_30d": ("zl", 30), "ma_50d": ("zl", 50), "ma_90d": ("zl", 90), "ma_100d": ("zl", 100),
    "ma_200d": ("zl", 200), "brent_ma_30d": ("brent", 30), "brent_ma_200d": ("brent", 200),
    "copper_ma_30d": ("copper", 30), "copper_ma_200d": ("copper", 200), "natgas_yahoo_ma_30d": ("ng", 30),
    "dxy_yahoo_ma_30d": ("dxy", 30), "dxy_yahoo_ma_200d": ("dxy", 200), "vix_yahoo_ma_30d": ("vix", 30),
    "soyb_ma_7d": ("soyb", 7), "soyb_ma_30d": ("soyb", 30), "soyb_ma_200d": ("soyb", 200),
}  # fmt: skip

RSIS = {
    "rsi_14": "zl", "brent_rsi_14": "brent", "copper_rsi_14": "copper", "natgas_yahoo_rsi_14": "ng",
    "dxy_yahoo_rsi_14": "dxy", "vix_yahoo_rsi_14": "vix", "soyb_rsi_14": "soyb", "corn_etf_rsi_14": "zc",
    "weat_rsi_14": "wheat",
}  # fmt: skip

PARTNERS = {"palm": "palm", "crude": "cl", "vix": "vix", "dxy": "dxy", "corn": "zc", "wheat": "wheat"}
SPANS = {"7d": 7, "30d": 30, "90d": 90, "180d": 180, "365d": 252}

# Instruments that only the wide tables have: (level, pull, volatility).
OTHERS = {
    "wheat": (560.0, 0.004, 0.017), "copper": (3.4, 0.003, 0.014), "soyb": (23.0, 0.004, 0.011),
    "bdi": (1600.0, 0.006, 0.03), "adm": (48.0, 0.003, 0.014), "bg": (72.0, 0.003, 0.017), "dar": (41.0, 0.003, 0.022),
    "ntr": (55.0, 0.003, 0.018), "tsn": (62.0, 0.003, 0.015), "cf": (64.0, 0.003, 0.021), "mos": (38.0, 0.003, 0.022),
    "hyg": (79.0, 0.004, 0.005), "icln": (16.0, 0.003, 0.016), "tan": (48.0, 0.003, 0.022), "dba": (19.0, 0.004, 0.008),
    "corn_etf": (21.0, 0.004, 0.013), "weat": (6.5, 0.004, 0.016), "mxnusd": (0.054, 0.003, 0.007),
}  # fmt: skip

BRENT_OVER_CRUDE = (1.06, 0.02, 0.006)

SCORES = (
    "feature_vix_stress", "feature_harvest_pace", "feature_china_relations", "feature_tariff_threat",
    "feature_geopolitical_volatility", "feature_biofuel_cascade", "feature_hidden_correlation",
    "feature_biofuel_ethanol", "big8_composite_score", "china_policy_impact", "import_demand_index",
    "export_capacity_index", "harvest_pressure", "trumpxi_policy_impact", "max_policy_impact", "tension_index",
    "china_tariff_rate", "brazil_market_share", "us_export_impact", "trade_war_intensity", "trade_war_impact_score",
    "lead_signal_confidence", "palm_accuracy_30d", "crude_accuracy_30d", "industrial_demand_index",
    "brazil_conditions_score", "argentina_conditions_score", "us_midwest_conditions_score", "global_weather_risk_score",
    "economic_stress_index", "trump_agricultural_impact_30d", "trump_soybean_relevance_30d",
    "trump_policy_intensity_14d", "bullish_ratio", "bearish_ratio", "trump_policy_impact_avg",
    "trump_policy_impact_max", "trump_policy_7d", "news_intelligence_7d", "cftc_commercial_extreme",
    "cftc_spec_extreme", "china_sentiment_volatility", "trumpxi_sentiment_volatility", "trumpxi_volatility_30d_ma",
    "social_sentiment_volatility",
)  # fmt: skip

MOODS = (
    "china_sentiment", "china_sentiment_30d_ma", "co_mention_sentiment", "social_sentiment_momentum_7d",
    "social_sentiment_avg", "social_sentiment_7d", "trump_soybean_sentiment_7d", "news_sentiment_avg",
    "fx_usd_ars_30d_z", "fx_usd_myr_30d_z",
)  # fmt: skip

COUNTS = (
    "china_mentions", "china_posts", "import_posts", "soy_posts", "trump_mentions", "trumpxi_china_mentions",
    "trump_xi_co_mentions", "xi_mentions", "tariff_mentions", "sentiment_volume", "social_post_count",
    "social_volume_7d", "trump_policy_events", "trade_policy_events", "china_policy_events", "ag_policy_events",
    "trump_events_7d", "china_news_count", "biofuel_news_count", "tariff_news_count", "weather_news_count",
    "news_volume_7d", "brazil_heat_stress_days", "brazil_drought_days", "brazil_flood_days",
    "argentina_heat_stress_days", "argentina_drought_days", "argentina_flood_days", "us_midwest_heat_stress_days",
    "us_midwest_drought_days", "us_midwest_flood_days", "argentina_vessel_queue_count", "argentina_competitive_threat",
)  # fmt: skip

# Quantities that wander: (level, volatility); those of a month keep the value of the month's first session.
QUANTITIES = {
    "china_posts_7d_ma": (12.0, 0.03), "co_mentions_7d_ma": (4.0, 0.04), "volatility_multiplier": (1.2, 0.01),
    "tradewar_event_vol_mult": (1.3, 0.01), "event_vol_mult": (1.1, 0.008), "supply_demand_ratio": (1.05, 0.004),
    "soybean_weekly_sales": (1.3e6, 0.05), "soybean_oil_weekly_sales": (2.2e4, 0.06),
    "soybean_meal_weekly_sales": (2.4e5, 0.05), "china_soybean_sales": (7.1e5, 0.06), "rin_d4_price": (1.1, 0.02),
    "rin_d5_price": (1.0, 0.02), "rin_d6_price": (0.8, 0.025), "argentina_port_throughput_teu": (1.6e5, 0.02),
    "biodiesel_spread": (0.9, 0.02), "ethanol_spread": (0.5, 0.02), "biofuel_crack": (1.4, 0.02),
    "cftc_commercial_long": (1.9e5, 0.01), "cftc_managed_long": (8.0e4, 0.02), "cftc_managed_short": (6.0e4, 0.02),
}  # fmt: skip

MONTHLY = {
    "br_yield": (12.0, 0.03), "cn_imports": (8.2, 0.08), "econ_gdp_growth": (2.3, 0.05),
    "econ_inflation_rate": (2.6, 0.05), "econ_unemployment_rate": (5.2, 0.03), "fed_funds_rate": (2.4, 0.06),
    "argentina_export_tax": (31.0, 0.03), "argentina_china_sales_mt": (1.4, 0.08),
    "rfs_mandate_biodiesel": (2.6, 0.02), "rfs_mandate_advanced": (5.1, 0.02), "rfs_mandate_total": (20.0, 0.01),
    "china_weekly_cancellations_mt": (0.3, 0.1), "adm_beta": (0.8, 0.02), "bg_beta": (0.7, 0.02),
    "adm_pe_ratio": (14.0, 0.04), "bg_pe_ratio": (11.0, 0.04),
}  # fmt: skip

# Place to mean, yearly swing and day of the maximum of the temperature, and mean rain in mm.
PLACES = {
    "brazil": (25.0, 3.5, 20.0, 5.0), "argentina": (18.0, 7.0, 15.0, 3.0), "us_midwest": (10.0, 14.0, 205.0, 2.5),
}  # fmt: skip
