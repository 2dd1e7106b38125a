"""The words and figures of the page: what a buyer reads, computed before any HTML."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cbi_common.core.errors import IncompleteError
from cbi_common.core.horizon import Horizon
from cbi_common.events.explanation import HorizonExplanation
from cbi_common.reporting.tables import number, percent
from dashboard.domain import view
from dashboard.domain.answers import Origin, Prediction, RegimeAnswer, RunAnswer
from dashboard.domain.known import Known

NAMES = {
    Horizon.W1: "1 week",
    Horizon.M1: "1 month",
    Horizon.M3: "3 months",
    Horizon.M6: "6 months",
    Horizon.M12: "12 months",
}
_OLD_AFTER_DAYS = 4
"""A long weekend; older data means that a trading day is missing."""
_PROVEN = 0.05
_TOP_GROUPS = 3
_RUNS_SHOWN = 8
_ALERTS_SHOWN = 5


@dataclass(frozen=True)
class Band:
    """Where band, point and current price lie on the page's common scale, as percentages of its width."""

    left: float
    width: float
    point: float
    current: float


@dataclass(frozen=True)
class Row:
    """One horizon."""

    horizon: Horizon
    name: str
    target_date: str
    signal: str
    advice: str
    point: str
    move: str
    lower: str
    upper: str
    current: str
    band: Band
    skill: str
    verdict: str
    coverage: str
    why: str
    note: str


@dataclass(frozen=True)
class Page:
    """Everything the template shows."""

    origin: Origin | None
    empty: str
    """Why there is nothing to show."""
    freshness: str
    old: bool
    rows: tuple[Row, ...]
    missing: tuple[tuple[str, str], ...]
    regime: RegimeAnswer | None
    alerts: tuple[tuple[str, str, str], ...]
    """Time, severity, text."""
    runs: tuple[RunAnswer, ...]


def compose(known: Known, now: datetime) -> Page:
    """Return the page as it reads at ``now``."""
    runs, today = known.runs, now.date()
    shown = tuple(view.summary(run) for run in runs.all()[: -_RUNS_SHOWN - 1 : -1])
    alerts = _attention(known)
    try:
        found = view.predictions(runs, today)
    except IncompleteError as error:
        return Page(None, error.line(), "", False, (), (), None, alerts, shown)
    run = view.forecast_run(runs)
    explanations = run.explanation.data.explanations if run.explanation else {}
    bands = _bands(found.predictions)
    return Page(
        origin=found.origin,
        empty="",
        freshness=_freshness(found.origin),
        old=found.origin.age_days > _OLD_AFTER_DAYS or found.origin.newer_run is not None,
        rows=tuple(_row(p, bands[p.horizon], explanations.get(p.horizon)) for p in found.predictions),
        missing=tuple((NAMES[horizon], why) for horizon, why in found.missing.items()),
        regime=view.regime(runs, today) if run.regime else None,
        alerts=alerts,
        runs=shown,
    )


def advice(p: Prediction) -> str:
    """Return the signal in a buyer's words."""
    move = percent(p.point / p.current - 1, signed=True)
    sure = f"{percent(p.probability_up, digits=0)} likely to rise"
    if p.signal == "BUY":
        return f"Buy now rather than later: {move} expected, {sure}."
    if p.signal == "WAIT":
        return f"Wait: {move} expected, {sure}."
    return f"No clear move: {move} expected, {sure}."


def verdict(p: Prediction) -> str:
    """Return in words what past forecasts like this one were worth against no-change."""
    if p.skill is None:
        return "not scored yet"
    if p.skill <= 0:
        return "no better than assuming no change"
    if p.dm_p is None:
        return f"too few independent periods to tell ({p.n_effective:.0f})"
    if p.dm_p < _PROVEN:
        return f"better than no change (p = {p.dm_p:.2f})"
    return f"not proven better than no change (p = {p.dm_p:.2f})"


def _attention(known: Known) -> tuple[tuple[str, str, str], ...]:
    alerts = [
        (e.time, e.data.severity, f"{e.data.source}: {e.data.what} {e.data.hint}") for e in view.alerts(known.runs)
    ]
    letters = [
        (letter.published, "warning", f"{letter.subject} given up by {letter.consumer}: {letter.reason}")
        for letter in known.given_up
    ]
    newest = sorted([*alerts, *letters], reverse=True)[:_ALERTS_SHOWN]
    return tuple((f"{time:%Y-%m-%d %H:%M}", severity, text) for time, severity, text in newest)


def _row(p: Prediction, band: Band, explanation: HorizonExplanation | None) -> Row:
    return Row(
        horizon=p.horizon, name=NAMES[p.horizon], target_date=p.target_date.isoformat(), signal=p.signal,
        advice=advice(p), point=number(p.point), move=percent(p.point / p.current - 1, signed=True),
        lower=number(p.lower_90), upper=number(p.upper_90), current=number(p.current), band=band,
        skill=percent(p.skill, signed=True), verdict=verdict(p), coverage=percent(p.coverage_90, digits=0),
        why=_why(explanation), note=p.note,
    )  # fmt: skip


def _why(explanation: HorizonExplanation | None) -> str:
    if explanation is None:
        return "not explained yet"
    largest = sorted(explanation.groups.items(), key=lambda item: (-abs(item[1]), item[0]))[:_TOP_GROUPS]
    parts = [f"{name.replace('_', ' ')} {number(value, signed=True)}" for name, value in largest if abs(value) >= 0.005]
    return ", ".join(parts) or "no driver moves it"


def _freshness(origin: Origin) -> str:
    days = origin.age_days
    age = "today" if days == 0 else f"{days} day{'s' if days != 1 else ''} ago"
    text = f"Data to {origin.as_of.isoformat()} ({age}); computed {origin.published:%Y-%m-%d %H:%M} UTC."
    if days > _OLD_AFTER_DAYS:
        text += " This is not a forecast made today."
    if origin.newer_run is None:
        return text
    state = origin.newer_run.reason or f"it is at {origin.newer_run.stage}"
    return f"{text} A newer run has not replaced it: {state}."


def _bands(predictions: tuple[Prediction, ...]) -> dict[Horizon, Band]:
    if not predictions:
        return {}
    low = min(min(p.lower_90, p.current) for p in predictions)
    span = max(max(p.upper_90, p.current) for p in predictions) - low

    def at(price: float) -> float:
        return round(100 * (price - low) / span, 1) if span > 0 else 50.0

    return {
        p.horizon: Band(at(p.lower_90), round(at(p.upper_90) - at(p.lower_90), 1), at(p.point), at(p.current))
        for p in predictions
    }
