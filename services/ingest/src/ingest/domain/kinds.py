"""The functions that a feature of the market file can name; each value depends on rows at or before it alone.

Series are (n,) float64 with NaN where unknown and the result is alike. ``window`` and ``sessions`` count rows. A window
says something when four fifths of it are known. Sums run over the window from its oldest row to its newest, recursions
from the first row: rows added at the end change no earlier bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Kind = Callable[..., Floats]

_YEAR = 252
_KNOWN = 0.8

_POUNDS_OF_OIL_PER_BUSHEL = 11
_TONS_OF_MEAL_PER_BUSHEL = 0.022
_POUNDS_OF_OIL_PER_GALLON = 7.5
_POUNDS_PER_TONNE = 2204.6226


def level(x: Floats) -> Floats:
    """Return the series itself."""
    return x


def change(x: Floats, *, sessions: int) -> Floats:
    """Return ``x[t] - x[t - sessions]``."""
    result = np.full(len(x), np.nan)
    result[sessions:] = x[sessions:] - x[:-sessions]
    return result


def log_return(x: Floats, *, sessions: int) -> Floats:
    """Return ``log(x[t] / x[t - sessions])`` of a positive series."""
    return change(np.log(x), sessions=sessions)


def ratio(x: Floats, y: Floats) -> Floats:
    """Return ``log(x / y)`` of positive series."""
    result: Floats = np.log(x) - np.log(y)
    return result


def share(x: Floats, y: Floats) -> Floats:
    """Return ``x / y`` of a positive ``y``."""
    return x / y


def zscore(x: Floats, *, window: int) -> Floats:
    """Return the distance from the rolling mean in rolling standard deviations, NaN where the window stands still."""
    mean = _mean(x, window)
    spread = _deviation(x, mean, window)
    moving = spread > 1e-9 * np.abs(mean)
    return np.divide(x - mean, spread, out=np.full(len(x), np.nan), where=moving)


def ma_ratio(x: Floats, *, window: int) -> Floats:
    """Return the log of a positive series over its rolling mean."""
    result: Floats = np.log(x / _mean(x, window))
    return result


def rsi(x: Floats, *, window: int) -> Floats:
    """Return Wilder's relative strength index (1978), 0 to 100."""
    moves = change(x, sessions=1)
    up = _smoothed(np.maximum(moves, 0), 1 / window, window)
    down = _smoothed(np.maximum(-moves, 0), 1 / window, window)
    return np.divide(100 * up, up + down, out=np.full(len(x), np.nan), where=up + down > 0)


def macd(x: Floats, *, fast: int, slow: int, signal: int) -> Floats:
    """Return Appel's MACD histogram over the price."""
    line = _smoothed(x, 2 / (fast + 1), fast) - _smoothed(x, 2 / (slow + 1), slow)
    result: Floats = (line - _smoothed(line, 2 / (signal + 1), signal)) / x
    return result


def bollinger(x: Floats, *, window: int, width: float) -> Floats:
    """Return the place within the Bollinger band: 0 at its lower, 1 at its upper edge."""
    return 0.5 + zscore(x, window=window) / (2 * width)


def range_place(x: Floats, *, window: int) -> Floats:
    """Return the place between the lowest (0) and the highest value (1) of the window."""
    low, high = _rolled(np.fmin, x, window), _rolled(np.fmax, x, window)
    return np.divide(x - low, high - low, out=np.full(len(x), np.nan), where=high > low)


def volume_ratio(x: Floats, *, fast: int, slow: int) -> Floats:
    """Return the log of a short rolling mean over a long one."""
    result: Floats = np.log(_mean(x, fast) / _mean(x, slow))
    return result


def realised_vol(x: Floats, *, window: int) -> Floats:
    """Return the annualised root mean square of daily log returns."""
    moves = log_return(x, sessions=1)
    result: Floats = np.sqrt(_YEAR * _mean(moves * moves, window))
    return result


def vol_ratio(x: Floats, *, fast: int, slow: int) -> Floats:
    """Return the log of a short realised volatility over a long one."""
    result: Floats = np.log(realised_vol(x, window=fast) / realised_vol(x, window=slow))
    return result


def parkinson(high: Floats, low: Floats, *, window: int) -> Floats:
    """Return Parkinson's (1980) annualised volatility from the range of the day."""
    ranges = np.log(high / low)
    result: Floats = np.sqrt(_YEAR / (4 * np.log(2)) * _mean(ranges * ranges, window))
    return result


def crush_margin(beans: Floats, meal: Floats, oil: Floats) -> Floats:
    """Return the board crush in $/bu from beans in ¢/bu, meal in $/short ton and oil in ¢/lb."""
    result: Floats = _TONS_OF_MEAL_PER_BUSHEL * meal + _POUNDS_OF_OIL_PER_BUSHEL * oil / 100 - beans / 100
    return result


def oil_share(meal: Floats, oil: Floats) -> Floats:
    """Return oil's share of the value of the crush products, 0 to 1."""
    worth = _POUNDS_OF_OIL_PER_BUSHEL * oil / 100
    return worth / (worth + _TONS_OF_MEAL_PER_BUSHEL * meal)


def boho(oil: Floats, heating_oil: Floats) -> Floats:
    """Return soybean oil less heating oil in $/gal, from ¢/lb and $/gal."""
    return _POUNDS_OF_OIL_PER_GALLON * oil / 100 - heating_oil


def palm_spread(oil: Floats, palm: Floats) -> Floats:
    """Return soybean oil less palm oil in $/t, from ¢/lb and $/t."""
    return _POUNDS_PER_TONNE * oil / 100 - palm


def season_sin(dates: NDArray[np.datetime64], *, harmonic: int) -> Floats:
    """Return the sine of ``harmonic`` turns per year."""
    result: Floats = np.sin(harmonic * _angle(dates))
    return result


def season_cos(dates: NDArray[np.datetime64], *, harmonic: int) -> Floats:
    """Return the cosine of ``harmonic`` turns per year."""
    result: Floats = np.cos(harmonic * _angle(dates))
    return result


def _against_its_year(of: Kind) -> Kind:
    def scored(*series: Floats, window: int) -> Floats:
        return zscore(of(*series), window=window)

    return scored


def _moved(of: Kind) -> Kind:
    def moved(*series: Floats, sessions: int) -> Floats:
        return change(of(*series), sessions=sessions)

    return moved


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "level": level,
        "change": change,
        "log_return": log_return,
        "ratio": ratio,
        "ratio_zscore": _against_its_year(ratio),
        "share": share,
        "share_change": _moved(share),
        "zscore": zscore,
        "ma_ratio": ma_ratio,
        "rsi": rsi,
        "macd": macd,
        "bollinger": bollinger,
        "range_place": range_place,
        "volume_ratio": volume_ratio,
        "realised_vol": realised_vol,
        "vol_ratio": vol_ratio,
        "parkinson": parkinson,
        "crush_margin": crush_margin,
        "crush_zscore": _against_its_year(crush_margin),
        "oil_share": oil_share,
        "boho": boho,
        "boho_zscore": _against_its_year(boho),
        "palm_spread": palm_spread,
    }
)
"""Kinds made of series."""

CALENDAR_KINDS: Mapping[str, Kind] = MappingProxyType({"season_sin": season_sin, "season_cos": season_cos})
"""Kinds made of the dates alone."""


def _rolled(combine: np.ufunc, x: Floats, window: int) -> Floats:
    """Combine the known values of each window, NaN where fewer than four fifths of it are known."""
    padded = np.concatenate([np.full(window - 1, np.nan), x])
    result, known = np.full(len(x), np.nan), np.zeros(len(x))
    for offset in range(window):
        value = padded[offset : offset + len(x)]
        there = ~np.isnan(value)
        result = np.where(there & (known > 0), combine(result, value), np.where(there, value, result))
        known += there
    return np.where(known >= np.ceil(_KNOWN * window), result, np.nan)


def _mean(x: Floats, window: int) -> Floats:
    count = _rolled(np.add, np.where(np.isnan(x), np.nan, 1.0), window)
    return _rolled(np.add, x, window) / count


def _deviation(x: Floats, mean: Floats, window: int) -> Floats:
    padded = np.concatenate([np.full(window - 1, np.nan), x])
    squares, known = np.zeros(len(x)), np.zeros(len(x))
    for offset in range(window):
        away = padded[offset : offset + len(x)] - mean
        there = ~np.isnan(away)
        squares += np.where(there, away * away, 0.0)
        known += there
    result: Floats = np.sqrt(np.divide(squares, known - 1, out=np.full(len(x), np.nan), where=known > 1))
    return result


def _smoothed(x: Floats, alpha: float, warm_up: int) -> Floats:
    """Smooth exponentially from the first known value on; NaN until ``warm_up`` values are known."""
    result = np.full(len(x), np.nan)
    state, known = np.nan, 0
    for t, value in enumerate(x.tolist()):
        if value == value:  # not NaN
            state = value if known == 0 else (1 - alpha) * state + alpha * value
            known += 1
        if known >= warm_up:
            result[t] = state
    return result


def _angle(dates: NDArray[np.datetime64]) -> Floats:
    year = dates.astype("datetime64[Y]")
    day = (dates - year).astype(np.float64)
    length = ((year + 1).astype("datetime64[D]") - year.astype("datetime64[D]")).astype(np.float64)
    result: Floats = 2 * np.pi * day / length
    return result
