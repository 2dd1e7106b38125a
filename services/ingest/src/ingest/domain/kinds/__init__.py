"""The functions that a feature of the market file can name; each value depends on rows at or before it alone.

Series are (n,) float64 with NaN where unknown and the result is alike. ``window`` and ``sessions`` count rows of the
panel. How a window deals with unknown rows stands in `ingest.domain.kinds.windows`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from ingest.domain.kinds import dependence, moves, products, season, sessions, standing, volatility
from ingest.domain.kinds.windows import Floats

Kind = Callable[..., Floats]


def _against_its_year(of: Kind) -> Kind:
    def scored(*series: Floats, window: int) -> Floats:
        return standing.zscore(of(*series), window=window)

    return scored


def _moved(of: Kind) -> Kind:
    def moved(*series: Floats, sessions: int) -> Floats:
        return moves.change(of(*series), sessions=sessions)

    return moved


def _out_of_season(of: Kind) -> Kind:
    def anomaly(dates: season.Dates, *series: Floats, around: int, years: int) -> Floats:
        return season.season_anomaly(dates, of(*series), around=around, years=years)

    return anomaly


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "level": moves.level,
        "change": moves.change,
        "log_return": moves.log_return,
        "skip_return": moves.skip_return,
        "ratio": moves.ratio,
        "ratio_zscore": _against_its_year(moves.ratio),
        "ratio_change": _moved(moves.ratio),
        "spread": moves.spread,
        "share": moves.share,
        "share_change": _moved(moves.share),
        "zscore": standing.zscore,
        "ma_ratio": standing.ma_ratio,
        "mean_ratio": standing.mean_ratio,
        "range_place": standing.range_place,
        "drawdown": standing.drawdown,
        "bollinger": standing.bollinger,
        "rsi": standing.rsi,
        "macd": standing.macd,
        "trend_strength": standing.trend_strength,
        "realised_vol": volatility.realised_vol,
        "vol_ratio": volatility.vol_ratio,
        "parkinson": volatility.parkinson,
        "garman_klass": volatility.garman_klass,
        "yang_zhang": volatility.yang_zhang,
        "downside_share": volatility.downside_share,
        "jump_share": volatility.jump_share,
        "skewness": volatility.skewness,
        "vol_premium": volatility.vol_premium,
        "correlation": dependence.correlation,
        "beta": dependence.beta,
        "autocorrelation": dependence.autocorrelation,
        "variance_ratio": dependence.variance_ratio,
        "close_place": sessions.close_place,
        "night_return": sessions.night_return,
        "illiquidity": sessions.illiquidity,
        "crush_margin": products.crush_margin,
        "crush_change": _moved(products.crush_margin),
        "crush_zscore": _against_its_year(products.crush_margin),
        "oil_share": products.oil_share,
        "oil_share_change": _moved(products.oil_share),
        "boho": products.boho,
        "boho_change": _moved(products.boho),
        "boho_zscore": _against_its_year(products.boho),
        "palm_spread": products.palm_spread,
        "crack_spread": products.crack_spread,
        "crack_zscore": _against_its_year(products.crack_spread),
        "diesel_crack": products.diesel_crack,
        "hedging_pressure": products.hedging_pressure,
    }
)
"""Kinds made of series."""

CALENDAR_KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "season_sin": season.season_sin,
        "season_cos": season.season_cos,
        "time_of_year": season.time_of_year,
        "expiry_days": season.expiry_days,
        "roll_return": season.roll_return,
        "season_return": season.season_return,
        "crush_anomaly": _out_of_season(products.crush_margin),
        "share_anomaly": _out_of_season(moves.share),
    }
)
"""Kinds made of the dates, and of series where the feature names some."""
