"""The market in one answer: price, state, volatility, what drives the forecasts, what has drifted."""

from __future__ import annotations

from datetime import date
from typing import Any

from cbi_common.core.horizon import Horizon
from cbi_common.core.regime import Regime
from cbi_common.events.base import Contract
from cbi_common.events.explanation import HorizonExplanation, SignCheck
from cbi_common.events.forecast import HorizonForecast
from cbi_common.reporting.projection import Runs
from dashboard.domain import development, view
from dashboard.domain.answers import Origin
from dashboard.domain.development import AlertAnswer, DriftAnswer

_SESSIONS_A_YEAR = 252


class Outlook(Contract):
    """What the market is expected to do over a horizon, and what pushes it."""

    horizon: Horizon
    target_date: date
    expected_move: float
    """Fraction of today's price."""
    annual_volatility: float
    """Forecast standard deviation of the log return, as of a year."""
    at_risk: float
    """Upper end of the 90 % band against today's price, as a fraction."""
    groups: dict[str, float] | None
    """Driver group to its share of the forecast's move, in the unit of the origin; None: not explained yet."""
    importance: dict[str, float] | None
    """Driver group to its share of all that moved past forecasts."""
    signs: dict[str, SignCheck] | None


class MarketAnswer(Contract):
    """The market as the newest final forecast sees it."""

    origin: Origin
    price: float
    state: Regime | None
    probabilities: dict[Regime, float] | None
    state_since: date | None
    outlook: tuple[Outlook, ...]
    conditions: tuple[AlertAnswer, ...]
    """What is wrong now: old tables, links that broke, features that drifted."""
    drifts: tuple[DriftAnswer, ...]
    newest_rows: dict[str, date | None]


def intelligence(runs: Runs, today: date) -> MarketAnswer:
    """Return the market as the newest final forecast sees it.

    Raises
    ------
    IncompleteError
        When there is no forecast.
    """
    run = view.forecast_run(runs)
    assert run.forecast is not None
    data = run.forecast.data
    explained = run.explanation.data.explanations if run.explanation else {}
    watched = development.monitoring(runs)
    state = run.regime.data if run.regime else None
    known = [(h, data.forecasts[h]) for h in Horizon if h in data.forecasts]
    if not known:
        view.predictions(runs, today)
    return MarketAnswer(
        origin=view.origin_of(runs, run, run.forecast, today),
        price=known[0][1].current,
        state=state.state if state else None,
        probabilities=state.probabilities if state else None,
        state_since=state.since if state else None,
        outlook=tuple(_outlook(h, f, explained.get(h)) for h, f in known),
        conditions=watched.open,
        drifts=watched.drifts,
        newest_rows=watched.newest_rows,
    )


def _outlook(horizon: Horizon, f: HorizonForecast, e: HorizonExplanation | None) -> Outlook:
    told: dict[str, Any] = dict.fromkeys(("groups", "importance", "signs"))
    if e is not None:
        told = {"groups": e.groups, "importance": e.importance, "signs": e.signs}
    return Outlook(
        horizon=horizon,
        target_date=f.target_date,
        expected_move=f.point / f.current - 1,
        annual_volatility=f.volatility * (_SESSIONS_A_YEAR / horizon.sessions) ** 0.5,
        at_risk=max(f.upper_90 / f.current - 1, 0.0),
        **told,
    )
