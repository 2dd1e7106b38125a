"""The columns of the plan's wide training tables, made from what can be seen of the simulated market.

Names are those of the owner's tables. Of columns that say the same under two names one is made, and those that hold
one value throughout get a process. Everything is as known at the close of its row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.signal import lfilter

from cbi_common.markets.files import load_market
from cbi_common.markets.simulation import names, rolling
from cbi_common.markets.simulation.history import Setting
from cbi_common.markets.simulation.process import Days, Floats
from cbi_common.markets.simulation.series import Simulation, wander
from cbi_common.timeseries.calendar import session_numbers
from cbi_common.timeseries.panel import as_known

_HELD = 30
"""Sessions a wide table carries a value on."""

_GENERAL_NAMES = frozenset(["open", "high", "low", "close", "volume", "rate", "value", "open_interest"])

Column = tuple[str, np.ndarray[Any, Any]]
Family = Callable[["Board"], Iterator[Column]]


@dataclass(frozen=True)
class Board:
    """What was known at the close of each of n sessions.

    Attributes
    ----------
    setting : Setting
    days : (n,) datetime64[D]
    seen : instrument or series to (n,) float64
    sentiment : (n,) float64
    named : column of a table that the market file reads to (n,) float64
        So that a wide table never contradicts the table it repeats.
    """

    setting: Setting
    days: Days
    seen: dict[str, Floats]
    sentiment: Floats
    named: dict[str, Floats]

    def noise(self, column: str) -> Floats:
        """Return (n,) standard normal numbers of this column alone."""
        return self.setting.rng(f"column {column}").standard_normal(len(self.days))


def make_columns(setting: Setting, simulation: Simulation) -> dict[str, np.ndarray[Any, Any]]:
    """Return every column by name, each (n,) float64 or int64, NaN where it is not yet known."""
    board = _board(setting, simulation)
    families: tuple[Family, ...] = (
        _of_prices,
        _of_indicators,
        _of_correlations,
        _of_calendar,
        _of_crush,
        _of_weather,
        _of_news,
        _of_noise,
    )
    found = {name: values for family in families for name, values in family(board)}
    return {name: _tidy(board.named.get(name, values)) for name, values in found.items()}


def _tidy(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    whole = values.dtype == bool or np.issubdtype(values.dtype, np.integer)
    return values.astype(np.int64) if whole else np.round(values, 6)


def _board(setting: Setting, simulation: Simulation) -> Board:
    days = simulation.dates
    sessions, _ = session_numbers(days)
    known, named = {}, {}
    for spec in load_market("zl").series:
        observed, values = simulation.series[spec.name]
        at, _ = session_numbers(observed)
        lag, held = spec.release_lag_sessions, max(_HELD, spec.staleness_sessions)
        known[spec.name] = as_known(sessions, at, values, release_lag_sessions=lag, staleness_sessions=held)
        if spec.value not in _GENERAL_NAMES:
            named[spec.value] = known[spec.name]
    others = {name: _instrument(setting, name, len(days)) for name in names.OTHERS}
    others["brent"] = known["cl"] * _instrument(setting, "brent", len(days))
    known = {**others, **known}  # the market file knows better
    return Board(setting, days, known, simulation.sentiment, named)


def _instrument(setting: Setting, name: str, count: int) -> Floats:
    level, pull, sigma = names.OTHERS.get(name, names.BRENT_OVER_CRUDE)
    return wander(level, pull, sigma * setting.rng(f"instrument {name}").standard_normal(count))


def _of_prices(board: Board) -> Iterator[Column]:
    seen = board.seen
    yield "zl_volume", seen["zl_volume"]
    yield from ((name, names.UNITS.get(name, 1.0) * seen[source]) for name, source in names.LEVELS.items())
    yield from ((name, rolling.lag(seen[source], rows)) for name, (source, rows) in names.LAGS.items())
    yield from ((name, rolling.change(seen[source], rows)) for name, (source, rows) in names.CHANGES.items())
    yield from ((name, rolling.mean(seen[source], rows)) for name, (source, rows) in names.MEANS.items())
    yield from ((f"{name}_close", seen[name]) for name in ("adm", "bg", "dar", "ntr", "tsn", "cf", "mos", "hyg"))
    yield from ((f"{name}_close", seen[name]) for name in ("corn_etf", "weat", "mxnusd"))
    yield from ((f"{name}_price", seen[name]) for name in ("icln", "tan", "dba"))
    yield "baltic_dry_index", seen["bdi"]


def _of_indicators(board: Board) -> Iterator[Column]:
    price = board.seen["zl"]
    moves = np.diff(np.log(price), prepend=np.nan)
    yield from ((name, rolling.rsi(board.seen[source], 14)) for name, source in names.RSIS.items())
    middle, spread = rolling.mean(price, 20), rolling.deviation(price, 20)
    yield from [("bb_middle", middle), ("bb_upper", middle + 2 * spread), ("bb_lower", middle - 2 * spread)]
    yield from [("bb_width", 4 * spread / middle), ("bb_percent", (price - middle + 2 * spread) / (4 * spread))]
    line = rolling.smooth(price, 12) - rolling.smooth(price, 26)
    signal = rolling.smooth(line, 9)
    yield from [("macd_line", line), ("macd_signal", signal), ("macd_histogram", line - signal)]
    yield "atr_14", rolling.mean(board.seen["zl_high"] - board.seen["zl_low"], 14)
    yield "volatility_30d", rolling.deviation(moves, 30) * np.sqrt(252)
    yield "volatility_90d", rolling.deviation(moves, 90) * np.sqrt(252)
    yield "historical_volatility_30d", 100 * rolling.deviation(rolling.change(price, 1), 30)
    yield "monthly_zscore", rolling.zscore(price, 21)
    yield "price_ma_ratio", price / rolling.mean(price, 60)
    yield "price_vs_ma30", price / rolling.mean(price, 30) - 1
    yield "price_vs_ma200", price / rolling.mean(price, 200) - 1
    yield "volume_sma_ratio", board.seen["zl_volume"] / rolling.mean(board.seen["zl_volume"], 20)
    vix = board.seen["vix"]
    yield from [("is_low_vol", vix < 15), ("is_normal_vol", (vix >= 15) & (vix < 25)), ("is_high_vol", vix >= 25)]
    yield "vix_spike_lag1", rolling.lag((rolling.change(vix, 1) > 0.08).astype(np.float64), 1)


def _of_correlations(board: Board) -> Iterator[Column]:
    moves = {name: np.diff(np.log(board.seen[name]), prepend=np.nan) for name in ("zl", *names.PARTNERS.values())}
    for name, source in names.PARTNERS.items():
        for label, window in names.SPANS.items():
            yield f"corr_zl_{name}_{label}", rolling.correlation(moves["zl"], moves[source], window)
    yield "corr_palm_crude_30d", rolling.correlation(moves["palm"], moves["cl"], 30)
    yield "corr_corn_wheat_30d", rolling.correlation(moves["zc"], moves["wheat"], 30)
    for name, rows in {"palm": 2, "crude": 1, "vix": 1, "dxy": 1}.items():
        before = rolling.lag(moves[names.PARTNERS[name]], rows)
        yield f"{name}_lead{rows}_correlation", rolling.correlation(moves["zl"], before, 60)
    for name, sign in {"palm_direction_correct": 1, "crude_direction_correct": 1, "vix_inverse_correct": -1}.items():
        before = rolling.lag(moves[names.PARTNERS[name.split("_")[0]]], 1)
        yield name, sign * before * moves["zl"] > 0


def _of_calendar(board: Board) -> Iterator[Column]:
    days = board.days
    month = days.astype("datetime64[M]").astype(np.int64) % 12 + 1
    day = (days - days.astype("datetime64[M]")).astype(np.int64) + 1
    weekday = (days.astype(np.int64) + 3) % 7
    last = np.append(month[1:] != month[:-1], False)
    angle = 2 * np.pi * (month - 1 + day / 31) / 12
    yield from [("day_of_week", weekday + 1), ("day_of_month", day), ("month", month), ("quarter", (month + 2) // 3)]
    yield from [("seasonal_sin", np.sin(angle)), ("seasonal_cos", np.cos(angle))]
    yield from [
        ("seasonal_index", 1 + 0.1 * np.cos(angle - 1)),
        ("seasonal_month_factor", 1 + 0.05 * np.sin(2 * angle)),
    ]
    yield from [("is_month_end", last), ("is_quarter_end", last & (month % 3 == 0))]
    events = {
        "is_wasde_day": (day >= 9) & (day <= 12) & (weekday == 3),
        "is_fomc_day": (day >= 15) & (day <= 21) & (weekday == 2),
        "is_crop_report_day": (weekday == 0) & (month >= 4) & (month <= 11),
        "is_planting_day": (weekday == 0) & (month >= 4) & (month <= 6),
        "is_stocks_day": last & (month % 3 == 2),
        "is_options_expiry": (weekday == 4) & (day >= 22) & (day <= 28),
        "is_china_holiday": (month == 10) & (day <= 7),
    }
    yield from events.items()
    rows, any_event = np.arange(len(days)), events["is_wasde_day"] | events["is_fomc_day"]
    since = rows - np.maximum.accumulate(np.where(any_event, rows, 0))
    yield from [("days_since_last_event", since), ("post_event_window", since <= 2), ("rn", rows + 1)]
    yield "time_weight", np.exp((rows - len(rows)) / 1000)
    yield "days_since_trump_policy", (since * 7 + day) % 13


def _of_crush(board: Board) -> Iterator[Column]:
    seen = board.seen
    margin = 0.11 * seen["zl"] + 0.022 * seen["zm"] - seen["zs"] / 100
    yield from [("crush_margin", margin), ("crush_margin_7d_ma", rolling.mean(margin, 7))]
    yield from [("crush_margin_30d_ma", rolling.mean(margin, 30)), ("soy_to_corn_ratio", seen["zs"] / seen["zc"])]
    yield "corn_soy_ratio_lag1", rolling.lag(seen["zc"] / seen["zs"], 1)
    yield "oil_to_gas_ratio", seen["cl"] / seen["ng"]
    yield "yield_curve", seen["us10y"] - _slow(board, "two_year_yield", 0.01, 0.02) - 2.4
    yield "real_yield", seen["us10y"] - 2.2 - _slow(board, "expected_inflation", 0.01, 0.01)


def _of_weather(board: Board) -> Iterator[Column]:
    year = board.days.astype("datetime64[Y]")
    day = (board.days - year).astype(np.float64)
    for place, (middle, swing, peak, rain) in names.PLACES.items():
        warmth = middle + swing * np.cos(2 * np.pi * (day - peak) / 365.25)
        yield f"{place}_temp_c", warmth + _slow(board, f"{place}_temp_c", 0.3, 1.6)
        wet = board.noise(f"{place}_precip_mm") + 0.3 * _slow(board, f"{place} wet spell", 0.2, 0.5)
        yield f"{place}_precip_mm", rain * np.maximum(wet, 0.0) ** 2 + 0.01 * np.abs(wet)
    temperature = 24 + _slow(board, "growing_degree_days", 0.1, 0.8)
    yield from [("growing_degree_days", temperature - 10), ("brazil_temp_7d_ma", rolling.mean(temperature, 7))]
    yield "brazil_precip_30d_ma", 5 * np.exp(_slow(board, "brazil_precip_30d_ma", 0.03, 0.08))
    yield "export_seasonality_factor", 1 + 0.3 * np.cos(2 * np.pi * (day - 110) / 365.25)


def _of_news(board: Board) -> Iterator[Column]:
    sentiment = np.tanh(board.sentiment / 2)
    yield from [("avg_sentiment", sentiment), ("sentiment_volatility", rolling.deviation(sentiment, 20))]
    yield "news_avg_score", 50 + 15 * board.sentiment + 4 * board.noise("news_avg_score")
    rng = board.setting.rng("column news_article_count")
    yield "news_article_count", rng.poisson(4 * np.exp(0.3 * np.abs(board.sentiment)))


def _of_noise(board: Board) -> Iterator[Column]:
    yield from ((name, 1 / (1 + np.exp(-1.2 * _slow(board, name, 0.02, 0.2)))) for name in names.SCORES)
    yield from ((name, np.tanh(_slow(board, name, 0.05, 0.25))) for name in names.MOODS)
    for name in names.COUNTS:
        yield name, board.setting.rng(f"count {name}").poisson(3 * np.exp(_slow(board, name, 0.03, 0.2)))
    yield from ((n, level * np.exp(_slow(board, n, 0.01, sigma))) for n, (level, sigma) in names.QUANTITIES.items())
    months = board.days.astype("datetime64[M]")
    first = np.searchsorted(months, months, side="left")
    yield from ((n, level * np.exp(_slow(board, n, 0.01, s))[first]) for n, (level, s) in names.MONTHLY.items())


def _slow(board: Board, column: str, pull: float, sigma: float) -> Floats:
    """Return a slow (n,) path about zero."""
    path: Floats = lfilter([1.0], [1.0, pull - 1.0], sigma * board.noise(column))
    return path
