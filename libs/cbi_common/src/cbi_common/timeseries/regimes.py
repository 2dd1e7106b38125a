"""Rule labels of the market's regime, from the price, and the index of fear where one is known on the day."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cbi_common.core.regime import Regime
from cbi_common.timeseries.dataset import Floats, Ints

CLASSES: tuple[Regime, ...] = tuple(Regime)
"""Class order of every label and probability vector."""

UNKNOWN = -1
"""Label of a session whose inputs are not all known."""

_SESSIONS_PER_YEAR = 252


class Rules(Protocol):
    """Thresholds of a market's regimes, as fractions (`cbi_common.markets.spec.RegimeRules`)."""

    @property
    def window(self) -> int: ...
    @property
    def least_returns(self) -> int: ...
    @property
    def crisis_fear(self) -> float: ...
    @property
    def crisis_volatility(self) -> float: ...
    @property
    def trend_return(self) -> float: ...
    @property
    def bull_volatility(self) -> float: ...
    @property
    def bear_volatility(self) -> float: ...


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
    rows = np.arange(len(sessions))
    first = np.searchsorted(sessions, sessions - length, side="right")
    unknown = np.concatenate([[0], np.cumsum(np.isnan(daily))])
    # A session that is missing leaves the return after it unknown: a window without unknown ones has them all.
    whole = unknown[rows + 1] == unknown[first]
    if whole.any() and length >= least:
        windows = np.lib.stride_tricks.sliding_window_view(daily, length)[first[whole]]
        result[whole] = windows.std(axis=1, ddof=1) * np.sqrt(_SESSIONS_PER_YEAR)
    for row in rows[~whole]:
        window = daily[first[row] : row + 1]
        window = window[~np.isnan(window)]
        if len(window) >= least:
            result[row] = window.std(ddof=1) * np.sqrt(_SESSIONS_PER_YEAR)
    return result


def rule_labels(sessions: Ints, price: Floats, fear: Floats, rules: Rules) -> NDArray[np.int64]:
    """Label every session by the market's rules, each from what was known at its close.

    With the thresholds of soybean oil: crisis when the VIX is > 30 or volatility > 40 %; bull when the return is above
    +10 % and volatility < 25 %; bear when the return is below -10 %, or volatility > 30 % with a negative return; else
    normal. Earlier rules win. Where the index of fear is not known, volatility alone decides on a crisis: a value that
    nobody knew would be made up, and a label withheld would leave a market without such an index with none.

    Parameters
    ----------
    sessions : (n,) int64, ascending
    price, fear : (n,) float64
        The index of fear is NaN where it was not known.
    rules : Rules

    Returns
    -------
    (n,) int64
        Index into `CLASSES`, `UNKNOWN` where the return or the volatility is not known.
    """
    change = trailing_return(sessions, price, rules.window)
    volatility = trailing_volatility(sessions, price, rules.window, rules.least_returns)
    known = ~(np.isnan(change) | np.isnan(volatility))
    conditions = [
        ~known,
        (fear > rules.crisis_fear) | (volatility > rules.crisis_volatility),
        (change > rules.trend_return) & (volatility < rules.bull_volatility),
        (change < -rules.trend_return) | ((volatility > rules.bear_volatility) & (change < 0)),
    ]
    order = [UNKNOWN, *(CLASSES.index(r) for r in (Regime.CRISIS, Regime.BULL, Regime.BEAR))]
    return np.select(conditions, order, default=CLASSES.index(Regime.NORMAL)).astype(np.int64)
