"""Every series of the simulated market: what the process shows, what is made of it, and what merely wanders about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from cbi_common.markets.files import load_market
from cbi_common.markets.simulation.faults import (
    FROZEN,
    FROZEN_SERIES,
    PARTED,
    PARTED_SERIES,
    SHIFT,
    SHIFTED,
    SHIFTED_SERIES,
    Faults,
    day_of,
)
from cbi_common.markets.simulation.generic import generic_values, observation_days
from cbi_common.markets.simulation.history import LAST_DAY, History, Setting, draw
from cbi_common.markets.simulation.process import STATE, Days, Floats

VERSION = 2
"""Raised when equal arguments give other data than before."""

_LB_PER_TONNE = 2204.6226

# Series that wander about a level: (level, pull per session, volatility per session, loading on the price's shock).
_WANDERERS = {
    "zs": (1000.0, 0.004, 0.012, 0.6),
    "zm": (310.0, 0.004, 0.014, 0.3),
    "zc": (410.0, 0.004, 0.014, 0.4),
    "ng": (4.2, 0.006, 0.028, 0.1),
    "sb": (15.0, 0.004, 0.017, 0.2),
    "dxy": (92.0, 0.003, 0.0045, -0.15),
    "usd_brl": (3.0, 0.002, 0.009, -0.15),
    "usd_cny": (6.8, 0.003, 0.0018, -0.1),
    "usd_ars": (40.0, 0.001, 0.007, 0.0),
    "usd_myr": (3.9, 0.004, 0.0038, -0.1),
    "us10y": (3.2, 0.002, 0.014, 0.1),
}

# Dollars per gallon of a product for a dollar per barrel of crude.
_CRACKS = {"ho": 0.031, "rb": 0.029}


@dataclass(frozen=True)
class Simulation:
    """What can be seen of a simulated market.

    Attributes
    ----------
    dates : (n,) datetime64[D]
    series : name of a series in the market file to (dates, values)
    sentiment : (n,) float64
        Of the day's news about soybean oil, mean 0, variance 1.
    """

    dates: Days
    series: dict[str, tuple[Days, Floats]]
    sentiment: Floats


def simulate(
    sessions: int,
    seed: int,
    *,
    predictability: float = 0.02,
    drift_at: date | None = None,
    last_day: date = LAST_DAY,
    faults: Faults = (),
) -> Simulation:
    """Simulate a market; the arguments are the fields of `Setting`.

    Raises
    ------
    UsageError
        For an argument out of its range.
    """
    setting = Setting(sessions, seed, predictability, drift_at, last_day, faults)
    history = draw(setting)
    shown = {name: history.states[:, i] for i, name in enumerate(STATE)}
    price, crude = np.exp(shown["oil"]), np.exp(shown["crude"])
    daily = {"zl": price, "palm": np.exp(shown["palm"]) * _LB_PER_TONNE / 100, "cl": crude, "vix": np.exp(shown["vix"])}
    daily |= {**_products(setting, crude), **_bars(setting, price), **dict(_wanderers(setting, history))}
    series = {name: (history.days, np.round(values, 4)) for name, values in daily.items()}
    series = _frozen(_completed(series | _positions(setting, history), setting), setting)
    return Simulation(history.days, series, shown["news"])


def _completed(series: dict[str, tuple[Days, Floats]], setting: Setting) -> dict[str, tuple[Days, Floats]]:
    """Give every series of the market file that has no process of its own a generic one."""
    days, found = series["zl"][0], dict(series)
    for spec in load_market("zl").series:
        if spec.name not in found:
            observed = observation_days(days, spec.frequency)
            values = generic_values(spec, len(observed), setting.rng(f"generic {spec.name}"))
            found[spec.name] = (observed, np.round(values, 6))
    return found


def wander(level: float, pull: float, moves: Floats) -> Floats:
    """Return a path whose log reverts to that of ``level`` by the share ``pull`` per step, (n,) like ``moves``."""
    away: Floats = lfilter([1.0], [1.0, pull - 1.0], moves)
    return level * np.exp(away)


def _wanderers(setting: Setting, history: History) -> Iterator[tuple[str, Floats]]:
    shock = history.shocks[:, 0]
    for name, (level, pull, sigma, loading) in _WANDERERS.items():
        own = setting.rng(name).standard_normal(len(shock))
        moves = sigma * (loading * shock + np.sqrt(1 - loading**2) * own)
        if name == PARTED_SERIES:
            moves = np.where(_since(history.days, setting, PARTED), sigma * own, moves)
        elif name == SHIFTED_SERIES:
            moves = np.where(_since(history.days, setting, SHIFTED), SHIFT * moves, moves)
        yield name, wander(level, pull, moves)


def _frozen(series: dict[str, tuple[Days, Floats]], setting: Setting) -> dict[str, tuple[Days, Floats]]:
    days, values = series[FROZEN_SERIES]
    still = _since(days, setting, FROZEN)
    if not still.any():
        return series
    last = values[np.argmax(still) - 1]
    return {**series, FROZEN_SERIES: (days, np.where(still, last, values))}


def _since(days: Days, setting: Setting, fault: str) -> NDArray[np.bool_]:
    day = day_of(setting.faults, fault)
    return np.zeros(len(days), dtype=bool) if day is None else np.asarray(days >= np.datetime64(day))


def _products(setting: Setting, crude: Floats) -> dict[str, Floats]:
    noise = {name: 0.010 * setting.rng(name).standard_normal(len(crude)) for name in _CRACKS}
    return {name: crude * wander(level, 0.02, noise[name]) for name, level in _CRACKS.items()}


def _bars(setting: Setting, close: Floats) -> dict[str, Floats]:
    rng = setting.rng("bars")
    opened = np.concatenate([close[:1], close[:-1]]) * np.exp(0.004 * rng.standard_normal(len(close)))
    up, down = np.abs(0.006 * rng.standard_normal((2, len(close))))
    high, low = np.maximum(opened, close) * np.exp(up), np.minimum(opened, close) * np.exp(-down)
    volume = np.ceil(np.exp(10.4 + 0.4 * setting.rng("volume").standard_normal(len(close))))
    return {"zl_open": opened, "zl_high": high, "zl_low": low, "zl_volume": volume}


def _positions(setting: Setting, history: History) -> dict[str, tuple[Days, Floats]]:
    """Return what traders hold on Tuesdays: commercials sell into a rising price."""
    tuesdays = np.isin(history.days, observation_days(history.days, "week"))
    count, oil = int(tuesdays.sum()), history.states[:, 0]
    interest = wander(430_000.0, 0.02, 0.02 * setting.rng("open_interest").standard_normal(count))
    trend = (oil - np.concatenate([np.full(21, oil[0]), oil[:-21]]))[tuesdays]
    net = -30_000 - 300_000 * trend + 15_000 * setting.rng("commercial_net").standard_normal(count)
    days = history.days[tuesdays]
    return {"open_interest": (days, np.round(interest)), "commercial_net": (days, np.round(net))}
