"""A market that is outside of everything the models were trained on."""

from __future__ import annotations

import numpy as np

from cbi_common.timeseries.dataset import Floats
from monitor.domain.finding import Finding
from monitor.domain.market_view import MarketView, changes
from monitor.domain.rules import UnseenRules

_YEAR = 252


def market_state(view: MarketView, fear: str | None, window: int) -> dict[str, Floats]:
    """Return what describes the state of the market: each (n,) float64, NaN where not known.

    Realised volatility per year and absolute log return over ``window`` sessions, and the index of fear.
    """
    daily = changes(view.price)
    state = {"volatility": _volatility(daily, window), "move": np.abs(_over(np.log(view.price), window))}
    if fear is not None and fear in view.series:
        state["fear"] = view.series[fear]
    return state


def find_unseen(view: MarketView, fear: str | None, rules: UnseenRules) -> list[Finding]:
    """Return a finding when the state of the market exceeds the largest of its past by the margin, as of the last row.

    Parameters
    ----------
    view : MarketView
    fear : series of the index of fear, or None
    rules : UnseenRules
    """
    beyond = {
        name: (float(recent[-1]), most)
        for name, (recent, most) in _compared(view, fear, rules).items()
        if (recent > rules.margin * most).all()
    }
    if not beyond:
        return []
    said = ", ".join(_WORDS[name].format(now, most) for name, (now, most) in beyond.items())
    return [
        Finding(
            condition="regime/unseen",
            kind="regime",
            where="market",
            what=f"the market is in a state that no model was trained on: {said}",
            hint="buy by hand until it passes; bands and signals stand on calmer days",
            since=view.day(max(len(view.sessions) - rules.confirmations, 0)),
            evidence={name: {"now": now, "most_before": most} for name, (now, most) in beyond.items()},
        )
    ]


def unseen_score(view: MarketView, fear: str | None, rules: UnseenRules) -> float | None:
    """Return how near the state of the market is to what counts as unseen, None while there is too little past."""
    known = [
        (float(recent.min()), rules.margin * most)
        for recent, most in _compared(view, fear, rules).values()
        if most > 0 and not np.isnan(recent).any()
    ]
    return max((least / limit for least, limit in known), default=None)


def _compared(view: MarketView, fear: str | None, rules: UnseenRules) -> dict[str, tuple[Floats, float]]:
    """Return the last values of what describes the market, each with the largest of its past."""
    last, found = len(view.sessions) - 1, {}
    for name, values in market_state(view, fear, rules.window_sessions).items():
        past = values[: max(last + 1 - rules.gap_sessions, 0)]
        past = past[~np.isnan(past)]
        if len(past) >= rules.least_reference:
            found[name] = values[-rules.confirmations :], float(past.max())
    return found


_WORDS = {
    "volatility": "volatility of a month {:.0%} a year, {:.0%} at most before",
    "move": "{:.0%} in a month, {:.0%} at most before",
    "fear": "index of fear at {:.0f}, {:.0f} at most before",
}


def _over(level: Floats, window: int) -> Floats:
    result = np.full(len(level), np.nan)
    result[window:] = level[window:] - level[:-window]
    return result


def _volatility(daily: Floats, window: int) -> Floats:
    squares = np.cumsum(np.nan_to_num(daily) ** 2)
    return np.asarray(np.sqrt(_over(squares, window) / window * _YEAR))
