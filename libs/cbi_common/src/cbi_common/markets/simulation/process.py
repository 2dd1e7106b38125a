"""The stochastic process of the simulated market: a linear system that a hidden regime pushes.

With the state ``x`` of `STATE` and the regime ``r``, one session is

    x[t] = A x[t-1] + b + drift[r[t]] + season * s(t) + loading[r[t]] @ z[t],    z[t] ~ N(0, I)

Soybean oil closes a share of its gap to palm, feels crude, the season and yesterday's news; palm follows soybean oil;
news report what moved the price and fade; the VIX tends to a level of the regime. Because all of it is linear, every
conditional expectation has a closed form (`cbi_common.markets.simulation.truth`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cbi_common.core.regime import Regime

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Days = NDArray[np.datetime64]

STATE = ("oil", "palm", "crude", "news", "vix")
"""Log of the price in ¢/lb, of palm in the same unit, of crude in $/bbl; sentiment (variance 1); log of the VIX."""

SHOCKS = ("price", "crude", "palm", "news", "vix")

_YEAR = 252
_OIL, _PALM, _CRUDE = np.log(38.0), np.log(34.0), np.log(68.0)
_GAP = -0.12
"""Log of palm over soybean oil that both tend to."""

_REVERSION, _PALM_REVERSION, _CRUDE_REVERSION = 0.0015, 0.002, 0.003
_NEWS_FADE, _VIX_PULL = 0.85, 0.08
_PASS_THROUGH, _PALM_CATCHES_UP = 0.7, 0.004
_CRUDE_WEIGHT, _CRUDE_VOLATILITY = 0.15, 0.022
_SEASON_AMPLITUDE, _NEWS_EFFECT, _MORE_REVERSION = 1.0, 0.02, 0.02
"""For a predictability of 1: log amplitude of the season, effect per session of one unit of sentiment, and reversion
beyond the usual (without it the prices that follow palm and the news stray too far)."""

_SEASON_PEAK_DAY = 175

_TURMOIL: dict[str, Any] = {"volatility": 1.1, "vix": 70.0}
"""What takes the place of every regime's volatility and VIX in a turmoil."""

LEAVING, _LEAVES_BY = 10, 0.04
"""Sessions in which palm breaks away, and what each of them adds to the log of its price."""


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

FIRST_REGIME = len(STATES) - 1
"""The regime of the day before the first: normal."""


def transition() -> Floats:
    """Return the (4, 4) probabilities of tomorrow's regime (columns) given today's (rows)."""
    stay = np.array([1 - 1 / state.sessions for state in STATES.values()])
    probabilities: Floats = np.diag(stay) + (1 - stay)[:, None] * _NEXT
    return probabilities


@dataclass(frozen=True)
class Process:
    """Matrices of the linear system; k states, 5 shocks, 4 regimes in the order of ``Regime``.

    Attributes
    ----------
    matrix : (k, k)
    constant : (k,)
    drift : (4, k)
    season : (k,)
        How far each state follows the season's push ``s``.
    loading : (4, k, 5)
    amplitude : float
        Log amplitude of the season.
    """

    matrix: Floats
    constant: Floats
    drift: Floats
    season: Floats
    loading: Floats
    amplitude: float

    def seasonal_moves(self, days: Days) -> Floats:
        """Return the (n,) push of the season into each session: in spring up, in autumn down."""
        day_of_year = (days - days.astype("datetime64[Y]")).astype("timedelta64[D]").astype(np.float64)
        angle = 2 * np.pi * (day_of_year - _SEASON_PEAK_DAY) / 365.25
        moves: Floats = -self.amplitude * 2 * np.pi / _YEAR * np.sin(angle)
        return moves


def make_process(
    predictability: float, *, linked: bool = True, turmoil: bool = False, leaving: bool = False
) -> Process:
    """Return the process.

    Parameters
    ----------
    predictability : float in [0, 0.2]
        Share of the gap to palm that soybean oil closes per session; season and news grow with it.
    linked : bool
        False: soybean oil no longer heeds palm, nor palm soybean oil.
    turmoil : bool
        True: in every regime volatility and VIX are beyond those of a crisis.
    leaving : bool
        True: palm rises by a twenty-fifth in every session, whatever soybean oil does.
    """
    states = [replace(state, **_TURMOIL) if turmoil else state for state in STATES.values()]
    closes = predictability if linked else 0.0
    reverts = _REVERSION + _MORE_REVERSION * predictability
    palm_reverts = _PALM_REVERSION + _MORE_REVERSION * predictability
    catches_up, passes = (_PALM_CATCHES_UP, _PASS_THROUGH) if linked else (0.0, 0.1)
    # What pushes soybean oil and, through `passes`, palm; columns in the order of STATE.
    push = np.array([0.0, 0.0, -_CRUDE_WEIGHT * _CRUDE_REVERSION, _NEWS_EFFECT * predictability, 0.0])
    pushed = _CRUDE_WEIGHT * _CRUDE_REVERSION * _CRUDE
    matrix = np.array(
        [
            push + np.array([1 - closes - reverts, closes, 0, 0, 0]),
            passes * push + np.array([catches_up, 1 - catches_up - palm_reverts, 0, 0, 0]),
            [0, 0, 1 - _CRUDE_REVERSION, 0, 0],
            [0, 0, 0, _NEWS_FADE, 0],
            [0, 0, 0, 0, 1 - _VIX_PULL],
        ]
    )
    constant = np.array(
        [
            pushed - closes * _GAP + reverts * _OIL,
            passes * pushed + catches_up * _GAP + palm_reverts * _PALM + (_LEAVES_BY if leaving else 0.0),
            _CRUDE_REVERSION * _CRUDE,
            0.0,
            0.0,
        ]
    )
    return Process(
        matrix=matrix,
        constant=constant,
        drift=np.array([_drift(state, passes) for state in states]),
        season=np.array([1.0, passes, 0, 0, 0]),
        loading=np.array([_loading(state, passes) for state in states]),
        amplitude=_SEASON_AMPLITUDE * predictability,
    )


def start() -> Floats:
    """Return the (k,) state of the day before the first."""
    return np.array([_OIL, _OIL + _GAP, _CRUDE, 0.0, np.log(STATES[Regime.NORMAL].vix)])


def regime_path(luck: Floats, first: Ints | int = FIRST_REGIME) -> Ints:
    """Return the regimes that uniform numbers choose.

    Parameters
    ----------
    luck : (..., n) float64 in [0, 1)
    first : (...) int64 or int
        Regime of the day before.

    Returns
    -------
    (..., n) int64
    """
    thresholds = np.cumsum(transition(), axis=1)[:, :-1]
    path = np.empty(luck.shape, dtype=np.int64)
    current = np.broadcast_to(np.asarray(first, dtype=np.int64), luck.shape[:-1])
    for t in range(luck.shape[-1]):
        current = (luck[..., t, None] >= thresholds[current]).sum(axis=-1)
        path[..., t] = current
    return path


def evolve(process: Process, before: Floats, regimes: Ints, seasonal_moves: Floats, shocks: Floats) -> Floats:
    """Return the states that follow ``before``.

    Parameters
    ----------
    process : Process
    before : (..., k)
    regimes : (..., n) int64
    seasonal_moves : (n,)
        Change of the seasonal level into each session.
    shocks : (..., n, 5)
        Independent standard normal.

    Returns
    -------
    (..., n, k) float64
    """
    pushes = np.einsum("...kj,...j->...k", process.loading[regimes], shocks)
    pushes += process.drift[regimes] + process.constant + seasonal_moves[:, None] * process.season
    states: Floats = np.empty_like(pushes)
    current, turned = before, process.matrix.T
    for t in range(pushes.shape[-2]):
        current = current @ turned + pushes[..., t, :]
        states[..., t, :] = current
    return states


def _drift(state: State, passes: float) -> list[float]:
    drift = state.drift / _YEAR
    return [drift, passes * drift, 0.0, 0.0, _VIX_PULL * np.log(state.vix)]


def _loading(state: State, passes: float) -> Floats:
    own = state.volatility / np.sqrt(_YEAR) * 0.94
    crude = _CRUDE_VOLATILITY * np.array([0.35, np.sqrt(1 - 0.35**2), 0, 0, 0])
    push = np.array([own, 0, 0, 0, 0]) + _CRUDE_WEIGHT * crude
    news = np.sqrt(1 - _NEWS_FADE**2) * np.array([0.45, 0, 0, np.sqrt(1 - 0.45**2), 0])
    vix = 0.06 * np.array([-0.2, 0, 0, 0, 0.98])
    palm = passes * push + np.array([0, 0, 0.016, 0, 0])
    return np.array([push, palm, crude, news, vix])
