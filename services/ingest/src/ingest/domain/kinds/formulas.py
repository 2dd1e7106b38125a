"""What each kind computes, in one line for people.

``{0}``, ``{1}`` … stand for the input series, names for parameters. ``mean[21]`` runs over the last 21 sessions,
``x[−5]`` is the value five sessions before, ``r`` the log return of a day, ``z`` the distance from the mean in standard
deviations.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from cbi_common.markets.spec import FeatureSpec

_CRUSH = "(0.022 {1} + 0.11 {2} − 0.01 {0})"
_OIL_SHARE = "(0.11 {1} / (0.11 {1} + 0.022 {0}))"
_BOHO = "(0.075 {0} − {1})"
_CRACK = "(42 (2 {0} + {1}) / 3 − {2})"

FORMULAS: Mapping[str, str] = MappingProxyType(
    {
        "level": "{0}",
        "change": "{0} − {0}[−{sessions}]",
        "log_return": "ln({0} / {0}[−{sessions}])",
        "skip_return": "ln({0}[−{skip}] / {0}[−{sessions}])",
        "ratio": "ln({0} / {1})",
        "ratio_zscore": "z[{window}] of ln({0} / {1})",
        "ratio_change": "ln({0} / {1}) less the same {sessions} sessions before",
        "spread": "{0} − {1}",
        "share": "{0} / {1}",
        "share_change": "{0} / {1} less the same {sessions} sessions before",
        "zscore": "z[{window}] of {0}",
        "ma_ratio": "ln({0} / mean[{window}] {0})",
        "mean_ratio": "ln(mean[{fast}] {0} / mean[{slow}] {0})",
        "range_place": "({0} − min[{window}]) / (max[{window}] − min[{window}])",
        "drawdown": "ln({0} / max[{window}] {0})",
        "bollinger": "1/2 + z[{window}] of {0} / (2 · {width})",
        "rsi": "100 U / (U + D), U and D Wilder's means[{window}] of rises and falls of {0}",
        "macd": "(M − EMA[{signal}] M) / {0}, M = EMA[{fast}] {0} − EMA[{slow}] {0}",
        "trend_strength": "ln({0} / {0}[−{window}]) / √(Σ[{window}] r²)",
        "realised_vol": "√(252 mean[{window}] r²), r of {0}",
        "vol_ratio": "ln(vol[{fast}] / vol[{slow}]) of {0}",
        "parkinson": "√(252 mean[{window}] ln²({0} / {1}) / (4 ln 2))",
        "garman_klass": "√(252 mean[{window}] (½ ln²({1} / {2}) − (2 ln 2 − 1) ln²({3} / {0})))",
        "yang_zhang": "√(252 (V night + k V day + (1 − k) Rogers–Satchell))[{window}] of {0}, {1}, {2}, {3}",
        "downside_share": "Σ[{window}] r² of falling days / Σ[{window}] r², r of {0}",
        "jump_share": "1 − π/2 Σ[{window}] |r| |r[−1]| / Σ[{window}] r², r of {0}",
        "skewness": "skewness[{window}] of r of {0}",
        "vol_premium": "ln({0} / 100 / vol[{window}] {1})",
        "correlation": "corr[{window}] of r of {0} and {1}",
        "beta": "cov[{window}](r {0}, r {1}) / var[{window}](r {1})",
        "autocorrelation": "corr[{window}] of r and r[−{lag}] of {0}",
        "variance_ratio": "mean of squared {sessions}-session returns / ({sessions} mean r²) within [{window}] of {0}",
        "close_place": "mean[{window}] of ({2} − {1}) / ({0} − {1})",
        "night_return": "mean[{window}] of ln({0} / {1}[−1])",
        "illiquidity": "ln mean[{window}] of |r {0}| / {1}",
        "crush_margin": _CRUSH,
        "crush_change": _CRUSH + " less the same {sessions} sessions before",
        "crush_zscore": "z[{window}] of " + _CRUSH,
        "oil_share": _OIL_SHARE,
        "oil_share_change": _OIL_SHARE + " less the same {sessions} sessions before",
        "boho": _BOHO,
        "boho_change": _BOHO + " less the same {sessions} sessions before",
        "boho_zscore": "z[{window}] of " + _BOHO,
        "palm_spread": "22.046 {0} − {1}",
        "crack_spread": _CRACK,
        "crack_zscore": "z[{window}] of " + _CRACK,
        "diesel_crack": "42 {0} − {1}",
        "hedging_pressure": "({0} − {1}) / ({0} + {1})",
        "season_sin": "sin(2π · {harmonic} · day of the year)",
        "season_cos": "cos(2π · {harmonic} · day of the year)",
        "time_of_year": "share gone of the days from {first} to {last} (month, day), else 0",
        "expiry_days": "days to the {day}th of the next of the months {months}",
        "roll_return": "Σ of r of {0} on the last {rolls} sessions after the {day}th of the months {months}",
        "season_return": "mean over earlier years, within {around} days of the date, of ln({0}[+{sessions}] / {0})",
        "crush_anomaly": _CRUSH + " less its mean within {around} days of the date in at least {years} earlier years",
        "share_anomaly": "{0} / {1} less its mean within {around} days of the date in at least {years} earlier years",
    }
)


def formula(feature: FeatureSpec) -> str:
    """Return what a feature is, with the names of its series and its parameters.

    >>> from cbi_common.markets import load_market
    >>> formula(load_market("zl").features[0])
    'ln(zl / zl[−1])'
    """
    parameters = {name: _shown(value) for name, value in feature.params.items()}
    return FORMULAS[feature.kind].format(*feature.inputs, **parameters)


def _shown(value: float | tuple[int, ...]) -> str:
    return " ".join(str(part) for part in value) if isinstance(value, tuple) else f"{value:g}"
