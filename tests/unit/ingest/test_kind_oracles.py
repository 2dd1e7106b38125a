"""Every kind against an independent implementation: pandas, scipy, a loop over the calendar.

The series have holes; the parameters are those of the market files.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cbi_common.markets import known_markets, load_market
from cbi_common.markets.spec import FeatureSpec, Market
from ingest.domain.kinds import CALENDAR_KINDS, KINDS

ROWS = 1300
SPARSE = 37
"""A slow oracle looks at one row in so many; it leaves out the others."""

Series = pd.Series


def least(window: int) -> int:
    return math.ceil(0.8 * window)


def mean(x: Series, window: int) -> Series:
    return x.rolling(window, min_periods=least(window)).mean()


def sd(x: Series, window: int) -> Series:
    return x.rolling(window, min_periods=least(window)).std()


def log(x: Series) -> Series:
    return x.map(math.log, na_action="ignore").astype(float)


def moves(x: Series, sessions: int = 1) -> Series:
    return log(x).diff(sessions)


def z(x: Series, window: int) -> Series:
    return (x - mean(x, window)) / sd(x, window)


def vol(x: Series, window: int) -> Series:
    return (252 * mean(moves(x) ** 2, window)) ** 0.5


def wilder(x: Series, window: int) -> Series:
    return x.ewm(alpha=1 / window, adjust=False, ignore_na=True, min_periods=window).mean()


def ema(x: Series, span: int) -> Series:
    return x.ewm(span=span, adjust=False, ignore_na=True, min_periods=span).mean()


def every(values: list[float], first: int, rows: int) -> Series:
    return Series(values, index=range(first, rows, SPARSE)).reindex(range(rows), fill_value=math.inf)


def rsi(x: Series, window: int) -> Series:
    up, down = wilder(x.diff().clip(lower=0), window), wilder(-x.diff().clip(upper=0), window)
    return 100 - 100 / (1 + up / down)


def macd(x: Series, fast: int, slow: int, signal: int) -> Series:
    line = ema(x, fast) - ema(x, slow)
    return (line - ema(line, signal)) / x


def bollinger(x: Series, window: int, width: float) -> Series:
    lower, upper = mean(x, window) - width * sd(x, window), mean(x, window) + width * sd(x, window)
    return (x - lower) / (upper - lower)


def garman_klass(o: Series, h: Series, low: Series, c: Series, window: int) -> Series:
    daily = 0.5 * (log(h) - log(low)) ** 2 - (2 * math.log(2) - 1) * (log(c) - log(o)) ** 2
    return (252 * mean(daily, window)) ** 0.5


def yang_zhang(o: Series, h: Series, low: Series, c: Series, window: int) -> Series:
    rogers_satchell = log(h / c) * log(h / o) + log(low / c) * log(low / o)
    k = 0.34 / (1.34 + (window + 1) / (window - 1))
    night, day = sd(log(o / c.shift()), window) ** 2, sd(log(c / o), window) ** 2
    return (252 * (night + k * day + (1 - k) * mean(rogers_satchell, window))) ** 0.5


def falling(x: Series, window: int) -> Series:
    squares = moves(x) ** 2
    return mean(squares.where(moves(x).isna() | (moves(x) < 0), 0.0), window) / mean(squares, window)


def jumps(x: Series, window: int) -> Series:
    size = moves(x).abs()
    return 1 - math.pi / 2 * mean(size * size.shift(), window) / mean(size**2, window)


def skew(x: Series, window: int) -> Series:
    parts = [moves(x)[t - window : t].dropna() for t in range(window, len(x) + 1)]
    found = [stats.skew(part) if len(part) >= least(window) else math.nan for part in parts[::SPARSE]]
    return every(found, window - 1, len(x))


def corr(x: Series, y: Series, window: int) -> Series:
    return moves(x).rolling(window, min_periods=least(window)).corr(moves(y))


def slope(x: Series, y: Series, window: int) -> Series:
    both = pd.DataFrame({"y": moves(x), "x": moves(y)})
    parts = [both[t - window : t].dropna() for t in range(window, len(x) + 1)]
    fits = [stats.linregress(p["x"], p["y"]).slope if len(p) >= least(window) else math.nan for p in parts[::SPARSE]]
    return every(fits, window - 1, len(x))


def lagged(x: Series, window: int, lag: int) -> Series:
    return moves(x).rolling(window, min_periods=least(window)).corr(moves(x).shift(lag))


def lo_mackinlay(x: Series, sessions: int, window: int) -> Series:
    longer = moves(x, sessions) ** 2 / sessions
    return mean(longer, window - sessions + 1) / mean(moves(x) ** 2, window)


def crush(beans: Series, meal: Series, oil: Series) -> Series:
    """A bushel of 60 lb: 44 lb of meal, priced by the short ton of 2,000 lb, and 11 lb of oil."""
    return 44 * meal / 2000 + 11 * oil / 100 - beans / 100


def share_of_oil(meal: Series, oil: Series) -> Series:
    return 1 / (1 + (44 * meal / 2000) / (11 * oil / 100))


def boho(oil: Series, heating_oil: Series) -> Series:
    return oil * 7.5 / 100 - heating_oil


def crack(gasoline: Series, heating_oil: Series, crude: Series) -> Series:
    return (2 * 42 * gasoline + 42 * heating_oil - 3 * crude) / 3


def turns(days: Series) -> Series:
    return Series(2 * math.pi * (days.dt.dayofyear - 1) / (365 + days.dt.is_leap_year))


def in_season(day: date, first: tuple[int, int], last: tuple[int, int]) -> float:
    for year in (day.year - 1, day.year):
        start = date(year, *first)
        end = date(year if last >= first else year + 1, *last)
        if start <= day <= end:
            return ((day - start).days + 1) / ((end - start).days + 1)
    return 0.0


def expiry(day: date, months: tuple[int, ...], of_month: int) -> date:
    ahead = day + timedelta(1)
    while ahead.month not in months or ahead.day != of_month:
        ahead += timedelta(1)
    return ahead


def rolls(days: Series, x: Series, months: tuple[int, ...], day: int, rolls: int) -> Series:
    ends = [expiry(d.date(), months, day) for d in days]
    steps, found = [], []
    for t, step in enumerate(moves(x)):
        if t and ends[t] != ends[t - 1]:
            steps.append(step)
        found.append(sum(steps[-rolls:]) if len(steps) >= rolls else math.nan)
    return Series(found)


def earlier_years(days: Series, x: Series, ahead: int, around: int, years: int) -> Series:
    """Row by row, every pair of days is looked at."""
    dates, found = [d.date() for d in days], []
    for t, day in list(enumerate(dates))[::SPARSE]:
        means = []
        for back in range(1, 40):
            middle = day - timedelta(round(back * 365.25))
            near = (j for j in range(t - ahead + 1) if abs((dates[j] - middle).days) <= around)
            values = [x[j + ahead] - x[j] if ahead else x[j] for j in near]
            values = [v for v in values if not math.isnan(v)]
            means += [sum(values) / len(values)] if values else []
        found.append(sum(means) / len(means) if len(means) >= years else math.nan)
    return every(found, 0, len(days))


def out_of_season(days: Series, x: Series, around: int, years: int) -> Series:
    return x - earlier_years(days, x, 0, around, years)


ORACLES: dict[str, Callable[..., Series]] = {
    "level": lambda x: x.copy(),
    "change": lambda x, sessions: x.diff(sessions),
    "log_return": moves,
    "skip_return": lambda x, sessions, skip: log(x.shift(skip) / x.shift(sessions)),
    "ratio": lambda x, y: log(x / y),
    "ratio_zscore": lambda x, y, window: z(log(x / y), window),
    "ratio_change": lambda x, y, sessions: moves(x / y, sessions),
    "spread": lambda x, y: x.sub(y),
    "share": lambda x, y: x.div(y),
    "share_change": lambda x, y, sessions: x.div(y).diff(sessions),
    "zscore": z,
    "ma_ratio": lambda x, window: log(x / mean(x, window)),
    "mean_ratio": lambda x, fast, slow: log(mean(x, fast) / mean(x, slow)),
    "range_place": lambda x, window: (
        (x - x.rolling(window, min_periods=least(window)).min())
        / np.ptp([x.rolling(window, min_periods=least(window)).agg(of) for of in ("min", "max")], axis=0)
    ),
    "drawdown": lambda x, window: log(x / x.rolling(window, min_periods=least(window)).max()),
    "bollinger": bollinger,
    "rsi": rsi,
    "macd": macd,
    "trend_strength": lambda x, window: moves(x, window) / (vol(x, window) * math.sqrt(window / 252)),
    "realised_vol": vol,
    "vol_ratio": lambda x, fast, slow: log(vol(x, fast) / vol(x, slow)),
    "parkinson": lambda h, low, window: (252 * mean(log(h / low) ** 2, window) / (4 * math.log(2))) ** 0.5,
    "garman_klass": garman_klass,
    "yang_zhang": yang_zhang,
    "downside_share": falling,
    "jump_share": jumps,
    "skewness": skew,
    "vol_premium": lambda implied, x, window: log(implied / (100 * vol(x, window))),
    "correlation": corr,
    "beta": slope,
    "autocorrelation": lagged,
    "variance_ratio": lo_mackinlay,
    "close_place": lambda h, low, c, window: mean((c - low) / (h - low), window),
    "night_return": lambda o, c, window: mean(log(o / c.shift()), window),
    "illiquidity": lambda x, volume, window: log(mean(moves(x).abs() / volume, window)),
    "crush_margin": crush,
    "crush_change": lambda b, m, o, sessions: crush(b, m, o).diff(sessions),
    "crush_zscore": lambda b, m, o, window: z(crush(b, m, o), window),
    "oil_share": share_of_oil,
    "oil_share_change": lambda m, o, sessions: share_of_oil(m, o).diff(sessions),
    "boho": boho,
    "boho_change": lambda o, h, sessions: boho(o, h).diff(sessions),
    "boho_zscore": lambda o, h, window: z(boho(o, h), window),
    "palm_spread": lambda oil, palm: oil * 22.046226 - palm,
    "crack_spread": crack,
    "crack_zscore": lambda g, h, c, window: z(crack(g, h, c), window),
    "diesel_crack": lambda h, c: 42 * h - c,
    "hedging_pressure": lambda short, long: 2 * short / (short + long) - 1,
    "season_sin": lambda days, harmonic: (turns(days) * harmonic).map(math.sin),
    "season_cos": lambda days, harmonic: (turns(days) * harmonic).map(math.cos),
    "time_of_year": lambda days, first, last: days.map(lambda d: in_season(d.date(), first, last)),
    "expiry_days": lambda days, months, day: days.map(lambda d: (expiry(d.date(), months, day) - d.date()).days),
    "roll_return": rolls,
    "season_return": lambda days, x, sessions, around, years: earlier_years(days, log(x), sessions, around, years),
    "crush_anomaly": lambda days, b, m, o, around, years: out_of_season(days, crush(b, m, o), around, years),
    "share_anomaly": lambda days, x, y, around, years: out_of_season(days, x.div(y), around, years),
}


def test_every_kind_has_an_oracle_and_a_feature() -> None:
    features = [feature for name in known_markets() for feature in load_market(name).features]
    assert ORACLES.keys() == KINDS.keys() | CALENDAR_KINDS.keys() == {feature.kind for feature in features}


@pytest.fixture(scope="module")
def days() -> Series:
    return Series(pd.bdate_range("2011-03-01", periods=ROWS))


def made(name: str, market: Market, seed: int) -> Series:
    """A positive walk with holes: single days and one of seven weeks."""
    rng = np.random.default_rng([seed, *name.encode()])
    above = market.by_name[name].above if name in market.by_name else None
    middle = 3 * above if above is not None and above > 0 else 1.0
    values = middle * np.exp(np.cumsum(0.02 * rng.standard_normal(ROWS)))
    values[rng.random(ROWS) < 0.01] = np.nan
    start = int(rng.integers(200, ROWS - 100))
    values[start : start + 35] = np.nan
    return Series(values)


def bar(market: Market, seed: int) -> dict[str, Series]:
    rng = np.random.default_rng(seed)
    close = made("zl", market, seed)
    opened = close * np.exp(0.01 * rng.standard_normal(ROWS))
    high = np.maximum(opened, close) * np.exp(0.01 * rng.random(ROWS))
    low = np.minimum(opened, close) * np.exp(-0.01 * rng.random(ROWS))
    return {"zl_open": opened, "zl_high": high, "zl_low": low}


def features() -> list[Any]:
    """One feature of every kind and parameters; many differ in their series alone."""
    chosen: dict[str, tuple[str, FeatureSpec]] = {}
    for name in known_markets():
        for feature in load_market(name).features:
            chosen.setdefault(f"{feature.kind}-{sorted(feature.params.items())}", (name, feature))
    return [pytest.param(*found, id=found[1].name) for found in chosen.values()]


@pytest.mark.parametrize(("name", "feature"), features())
def test_a_feature_is_what_another_implementation_says(name: str, feature: FeatureSpec, days: Series) -> None:
    market = load_market(name)
    special = bar(market, 3) if "zl" in market.by_name else {}
    inputs = [special.get(series, made(series, market, 3)) for series in feature.inputs]
    dated = feature.kind in CALENDAR_KINDS
    kind = CALENDAR_KINDS[feature.kind] if dated else KINDS[feature.kind]
    first = [days.to_numpy().astype("datetime64[D]")] if dated else []
    found = kind(*first, *(x.to_numpy() for x in inputs), **feature.params)
    expected = ORACLES[feature.kind](*([days] if dated else []), *inputs, **feature.params).to_numpy(dtype=np.float64)
    seen = ~np.isinf(expected)
    assert (~np.isnan(found[seen])).sum() >= 10
    np.testing.assert_allclose(found[seen], expected[seen], rtol=1e-6, atol=1e-9)
