"""A simulated soybean-oil market: regimes, a crude and a palm link, currencies, volatility, positions.

Pure and seeded. It teaches and tests: what is true in it is known because it is written here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from cbi_common.core.errors import UsageError
from cbi_common.core.regime import Regime
from cbi_common.timeseries.calendar import session_date, session_number, sessions_between

Floats = NDArray[np.float64]
Days = NDArray[np.datetime64]

LAST_DAY = date(2025, 5, 16)
VERSION = 1
"""Raised when equal arguments give other data than before."""

_YEAR = 252
_LB_PER_TONNE = 2204.6226


@dataclass(frozen=True)
class State:
    """What a regime does: annual drift and volatility of the price, the level that the VIX tends to, mean duration."""

    drift: float
    volatility: float
    vix: float
    sessions: int


STATES = {
    Regime.CRISIS: State(drift=-0.25, volatility=0.46, vix=36, sessions=60),
    Regime.BULL: State(drift=0.45, volatility=0.23, vix=15, sessions=90),
    Regime.BEAR: State(drift=-0.40, volatility=0.28, vix=22, sessions=80),
    Regime.NORMAL: State(drift=0.02, volatility=0.20, vix=16, sessions=220),
}

# Regime to go to when one ends: rows and columns in the order of STATES.
_NEXT = np.array([[0.0, 0.3, 0.3, 0.4], [0.1, 0.0, 0.2, 0.7], [0.15, 0.25, 0.0, 0.6], [0.2, 0.45, 0.35, 0.0]])

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


@dataclass(frozen=True)
class Simulation:
    """Series by the names of the market file, and the regime path that made them.

    Attributes
    ----------
    dates : (n,) datetime64[D]
    regimes : (n,) int
        Position in ``Regime``.
    series : name to (dates, values)
    """

    dates: Days
    regimes: NDArray[np.int64]
    series: dict[str, tuple[Days, Floats]]


def simulate(sessions: int, seed: int, *, predictability: float = 0.02, last_day: date = LAST_DAY) -> Simulation:
    """Simulate the ``sessions`` trading days that end on ``last_day``.

    Parameters
    ----------
    sessions : int
        300 to 31,500 (125 years).
    seed : int
    predictability : float in [0, 0.2]
        Share of the gap between palm and soybean oil that soybean oil closes per session: the one part of the next
        price that the past tells. At 0 soybean oil ignores palm, which still follows it.

    Raises
    ------
    UsageError
        For an argument out of its range.
    """
    if not 300 <= sessions <= 31_500:
        raise UsageError(f"{sessions} sessions", where="simulated market", hint="ask for 300 to 31500")
    if not 0 <= predictability <= 0.2:
        raise UsageError(f"predictability {predictability}", where="simulated market", hint="ask for 0 to 0.2")
    rng = np.random.default_rng(seed)
    last = session_number(last_day)
    days = sessions_between(session_date(last - sessions + 1), last_day)
    regimes = _regime_path(rng, sessions)
    shock = rng.standard_normal(sessions)
    crude = _wander(68.0, 0.003, 0.022 * (0.35 * shock + 0.94 * rng.standard_normal(sessions)))
    price, palm = _oils(rng, regimes, shock, np.diff(np.log(crude), prepend=np.log(crude[0])), predictability)
    daily = {"zl": price, "palm": palm, "cl": crude, **_products(rng, crude), **_bars(rng, price)}
    daily |= dict(_wanderers(rng, shock))
    daily["vix"] = _vix(rng, regimes, shock)
    series = {name: (days, np.round(values, 4)) for name, values in daily.items()}
    return Simulation(days, regimes, series | _positions(rng, days, price))


def _regime_path(rng: np.random.Generator, sessions: int) -> NDArray[np.int64]:
    path = np.empty(sessions, dtype=np.int64)
    stay = [1 - 1 / state.sessions for state in STATES.values()]
    luck, choice = rng.random(sessions), rng.random(sessions)
    current = len(stay) - 1
    for t in range(sessions):
        if luck[t] > stay[current]:
            current = int(np.searchsorted(np.cumsum(_NEXT[current]), choice[t] * (1 - 1e-12), side="right"))
        path[t] = current
    return path


def _oils(
    rng: np.random.Generator, regimes: NDArray[np.int64], shock: Floats, crude_move: Floats, predictability: float
) -> tuple[Floats, Floats]:
    drift = np.array([state.drift / _YEAR for state in STATES.values()])[regimes]
    sigma = np.array([state.volatility / np.sqrt(_YEAR) for state in STATES.values()])[regimes]
    news = drift + sigma * 0.94 * shock + 0.15 * crude_move
    own = 0.013 * rng.standard_normal(len(shock))
    oil, palm = np.empty(len(shock)), np.empty(len(shock))
    level, substitute, usual_gap = np.log(38.0), np.log(38.0), -0.12
    for t in range(len(shock)):
        gap = substitute - level - usual_gap
        level += news[t] + predictability * gap - 0.0015 * (level - np.log(38.0))
        substitute += 0.7 * news[t] + own[t] - 0.004 * gap - 0.0015 * (substitute - np.log(34.0))
        oil[t], palm[t] = level, substitute
    return np.exp(oil), np.exp(palm) * _LB_PER_TONNE / 100


def _wander(level: float, pull: float, moves: Floats) -> Floats:
    path = np.empty(len(moves))
    away = 0.0
    for t, move in enumerate(moves):
        away += move - pull * away
        path[t] = away
    return level * np.exp(path)


def _wanderers(rng: np.random.Generator, shock: Floats) -> Iterator[tuple[str, Floats]]:
    for name, (level, pull, sigma, loading) in _WANDERERS.items():
        own = rng.standard_normal(len(shock))
        yield name, _wander(level, pull, sigma * (loading * shock + np.sqrt(1 - loading**2) * own))


def _products(rng: np.random.Generator, crude: Floats) -> dict[str, Floats]:
    crack = {name: _wander(level, 0.02, 0.010 * rng.standard_normal(len(crude))) for name, level in _CRACKS.items()}
    return {name: crude * margin for name, margin in crack.items()}


_CRACKS = {"ho": 0.031, "rb": 0.029}
"""Dollars per gallon of a product for a dollar per barrel of crude."""


def _vix(rng: np.random.Generator, regimes: NDArray[np.int64], shock: Floats) -> Floats:
    target = np.log([state.vix for state in STATES.values()])[regimes]
    moves = 0.06 * (-0.2 * shock + 0.98 * rng.standard_normal(len(shock)))
    path = np.empty(len(shock))
    current = target[0]
    for t in range(len(shock)):
        current += 0.08 * (target[t] - current) + moves[t]
        path[t] = current
    return np.exp(path)


def _bars(rng: np.random.Generator, close: Floats) -> dict[str, Floats]:
    opened = np.concatenate([close[:1], close[:-1]]) * np.exp(0.004 * rng.standard_normal(len(close)))
    up, down = np.abs(0.006 * rng.standard_normal((2, len(close))))
    high, low = np.maximum(opened, close) * np.exp(up), np.minimum(opened, close) * np.exp(-down)
    volume = np.ceil(np.exp(10.4 + 0.4 * rng.standard_normal(len(close))))
    return {"zl_open": opened, "zl_high": high, "zl_low": low, "zl_volume": volume}


def _positions(rng: np.random.Generator, days: Days, price: Floats) -> dict[str, tuple[Days, Floats]]:
    tuesday = (days.astype("datetime64[D]").astype(np.int64) + 3) % 7 == 1
    count = int(tuesday.sum())
    interest = _wander(430_000.0, 0.02, 0.02 * rng.standard_normal(count))
    trend = np.log(price / np.concatenate([np.full(21, price[0]), price[:-21]]))[tuesday]
    net = -30_000 - 300_000 * trend + 15_000 * rng.standard_normal(count)
    return {"open_interest": (days[tuesday], np.round(interest)), "commercial_net": (days[tuesday], np.round(net))}
