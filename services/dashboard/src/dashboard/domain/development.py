"""Answers for those who look after the models: why, how good, what is watched, what runs in shadow."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from cbi_common.core.horizon import Horizon
from cbi_common.events.base import Contract, Envelope
from cbi_common.events.data import DataRequested
from cbi_common.events.explanation import HorizonExplanation
from cbi_common.events.monitoring import AlertRaised, DriftDetected, Slice
from cbi_common.events.promotion import ModelShadowed
from cbi_common.reporting.projection import Run, Runs, Stage
from dashboard.domain.answers import Origin
from dashboard.domain.view import newest, origin_of

_LATEST = 50

Source = Literal["walk_forward", "issued"]


class ExplanationAnswer(Contract):
    """Why a forecast differs from no-change, in the unit of its origin."""

    origin: Origin
    horizon: Horizon
    explanation: HorizonExplanation


class ValidationAnswer(Contract):
    """Matured forecasts against what happened."""

    origin: Origin
    source: Source
    horizons: dict[Horizon, tuple[Slice, ...]]


class AlertAnswer(Contract):
    """What a person should know."""

    id: str
    time: datetime
    market: str | None
    severity: str
    source: str
    what: str
    where: str
    since: date | None
    hint: str


class DriftAnswer(Contract):
    """Something that no longer was what it had been."""

    id: str
    time: datetime
    market: str
    kind: str
    what: str
    horizon: Horizon | None
    since: date | None
    action: str
    evidence: dict[str, Any]


class RetrainAnswer(Contract):
    """A pass that a drift asked for."""

    request_id: str
    caused_by: str
    """Id of the drift."""
    reason: str
    as_of: date | None
    stage: Stage
    run_id: str | None


class MonitoringAnswer(Contract):
    """What holds now, and what has happened lately, newest first."""

    open: tuple[AlertAnswer, ...]
    """Conditions that were raised and are not over."""
    single: tuple[AlertAnswer, ...]
    """Alerts of what happened once."""
    drifts: tuple[DriftAnswer, ...]
    retrains: tuple[RetrainAnswer, ...]
    newest_rows: dict[str, date | None]
    """Table of the newest export to the day of its newest usable row."""


class ShadowAnswer(Contract):
    """A challenger that runs beside the champion."""

    time: datetime
    market: str
    horizon: Horizon
    challenger: str
    champion: str | None


def explanation(runs: Runs, horizon: Horizon, today: date) -> ExplanationAnswer:
    """Return why the newest explained forecast of a horizon says what it says.

    Raises
    ------
    IncompleteError
        When there is none.
    """

    def told(run: Run) -> bool:
        return run.explanation is not None and horizon in run.explanation.data.explanations

    run = newest(runs, told, f"explanation at {horizon}")
    event = run.explanation
    assert event is not None
    found = event.data.explanations[horizon]
    return ExplanationAnswer(origin=origin_of(runs, run, event, today), horizon=horizon, explanation=found)


def validation(runs: Runs, source: Source, today: date) -> ValidationAnswer:
    """Return the newest scores of matured forecasts.

    Raises
    ------
    IncompleteError
        When there are none.
    """
    run = newest(runs, lambda run: source in run.validations, f"{source.replace('_', ' ')} validation")
    event = run.validations[source]
    return ValidationAnswer(origin=origin_of(runs, run, event, today), source=source, horizons=event.data.horizons)


def monitoring(runs: Runs) -> MonitoringAnswer:
    """Return what is watched: open conditions, drifts, retrains, ages of tables."""
    alerts = runs.of(AlertRaised)
    latest = {(e.data.market, e.data.condition): e for e in alerts if e.data.condition}
    drifts = {event.id: event for event in runs.of(DriftDetected)}
    asked = [event for event in runs.of(DataRequested) if event.causationid in drifts]
    exports = [run.export.data for run in runs.all() if run.export is not None]
    return MonitoringAnswer(
        open=_alerts([event for event in latest.values() if not event.data.resolved]),
        single=_alerts([event for event in alerts if not event.data.condition]),
        drifts=tuple(_drift(event) for event in _newest_first(list(drifts.values()))),
        retrains=tuple(_retrain(runs, event) for event in _newest_first(asked)),
        newest_rows={name: table.newest for name, table in exports[-1].quality.items()} if exports else {},
    )


def shadows(runs: Runs) -> list[ShadowAnswer]:
    """Return the challengers that were put in shadow, newest first."""
    return [
        ShadowAnswer(
            time=event.time,
            market=event.data.market,
            horizon=event.data.horizon,
            challenger=event.data.challenger,
            champion=event.data.champion,
        )
        for event in _newest_first(runs.of(ModelShadowed))
    ]


def _newest_first(events: list[Envelope[Any]]) -> list[Envelope[Any]]:
    return sorted(events, key=lambda event: (event.time, event.id), reverse=True)[:_LATEST]


def _alerts(events: list[Envelope[AlertRaised]]) -> tuple[AlertAnswer, ...]:
    fields = ("market", "severity", "source", "what", "where", "since", "hint")
    return tuple(
        AlertAnswer(id=event.id, time=event.time, **{name: getattr(event.data, name) for name in fields})
        for event in _newest_first(events)
    )


def _drift(event: Envelope[DriftDetected]) -> DriftAnswer:
    fields = ("market", "kind", "what", "horizon", "since", "action", "evidence")
    return DriftAnswer(id=event.id, time=event.time, **{name: getattr(event.data, name) for name in fields})


def _retrain(runs: Runs, event: Envelope[DataRequested]) -> RetrainAnswer:
    run = runs.get(event.correlationid)
    assert run is not None  # it has the request
    return RetrainAnswer(
        request_id=event.id,
        caused_by=event.causationid or "",
        reason=event.data.reason,
        as_of=event.data.as_of,
        stage=run.stage,
        run_id=run.run_id,
    )
