"""Rule labels of the market's regime, from price and VIX known on the day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cbi_common.core.regime import Regime
from cbi_common.timeseries.dataset import Floats, Ints

CLASSES: tuple[Regime, ...] = tuple(Regime)
"""Class order of every label and probability vector."""

UNKNOWN = -1
"""Label of a session whose inputs are not all known."""

_SESSIONS_PER_YEAR = 252


@dataclass(frozen=True)
class Rules:
    """Thresholds, fixed in advance; returns and volatilities are fractions, VIX is in index points."""

    window: int = 30
    """Sessions of the return and of the volatility."""
    least_returns: int = 25
    """Daily returns that a volatility needs at least: one missing session must not silence a month."""
    crisis_vix: float = 30.0
    crisis_volatility: float = 0.40
    trend_return: float = 0.10
    bull_volatility: float = 0.25
    bear_volatility: float = 0.30


def trailing_return(sessions: Ints, price: Floats, length: int) -> Floats:
    """Return ``price[s] / price[s - length] - 1``, NaN where session ``s - length`` is not in the data.

    Parameters
    ----------
    sessions : (n,) int64, ascending
    price : (n,) float64, > 0
    length : int
        Sessions back, >= 1.

    Returns
    -------
    (n,) float64

    Examples
    --------
    >>> trailing_return(np.array([1, 2, 4]), np.array([1.0, 1.1, 1.21]), 2).round(2).tolist()
    [nan, nan, 0.1]
    """
    found = np.searchsorted(sessions, sessions - length)
    hit = sessions[found] == sessions - length
    result = np.full(len(sessions), np.nan)
    result[hit] = price[hit] / price[found[hit]] - 1.0
    return result


def trailing_volatility(sessions: Ints, price: Floats, length: int, least: int) -> Floats:
    """Return the annualised standard deviation of the one-session log returns in ``(s - length, s]``.

    Parameters
    ----------
    sessions : (n,) int64, ascending
    price : (n,) float64, > 0
    length : int
        Sessions of the window.
    least : int
        Returns a window needs, >= 2; with fewer the result is NaN. A return needs both of its sessions in the data.

    Returns
    -------
    (n,) float64
        Fractions per year of 252 sessions.
    """
    daily = np.log1p(trailing_return(sessions, price, 1))
    result = np.full(len(sessions), np.nan)
    first = np.searchsorted(sessions, sessions - length, side="right")
    for row, start in enumerate(first):
        window = daily[start : row + 1]
        window = window[~np.isnan(window)]
        if len(window) >= least:
            result[row] = window.std(ddof=1) * np.sqrt(_SESSIONS_PER_YEAR)
    return result


def rule_labels(sessions: Ints, price: Floats, vix: Floats, rules: Rules | None = None) -> NDArray[np.int64]:
    """Label every session by the fixed rules, each from what was known at its close.

    Crisis: VIX > 30 or volatility > 40 %. Bull: return > +10 % and volatility < 25 %. Bear: return < -10 %, or
    volatility > 30 % with a negative return. Normal: everything else. Earlier rules win.

    Parameters
    ----------
    sessions : (n,) int64, ascending
    price, vix : (n,) float64
        VIX is NaN where it was not known.
    rules : Rules, optional

    Returns
    -------
    (n,) int64
        Index into `CLASSES`, `UNKNOWN` where the return, the volatility or VIX is not known.
    """
    rules = rules or Rules()
    change = trailing_return(sessions, price, rules.window)
    volatility = trailing_volatility(sessions, price, rules.window, rules.least_returns)
    known = ~(np.isnan(change) | np.isnan(volatility) | np.isnan(vix))
    conditions = [
        ~known,
        (vix > rules.crisis_vix) | (volatility > rules.crisis_volatility),
        (change > rules.trend_return) & (volatility < rules.bull_volatility),
        (change < -rules.trend_return) | ((volatility > rules.bear_volatility) & (change < 0)),
    ]
    order = [UNKNOWN, *(CLASSES.index(r) for r in (Regime.CRISIS, Regime.BULL, Regime.BEAR))]
    return np.select(conditions, order, default=CLASSES.index(Regime.NORMAL)).astype(np.int64)
