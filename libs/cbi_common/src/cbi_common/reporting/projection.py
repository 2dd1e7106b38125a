"""Fold of events into runs: whatever is shown about a run is a pure function of the events with its correlation id."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Literal, NamedTuple, TypeVar

from cbi_common.core.errors import UsageError
from cbi_common.core.horizon import Horizon
from cbi_common.events.base import Envelope, EventData
from cbi_common.events.data import DataExported, DataRejected, DataRequested
from cbi_common.events.decision import BacktestCompleted
from cbi_common.events.explanation import ExplanationReady
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.monitoring import AlertRaised, ValidationCompleted
from cbi_common.events.promotion import GatesJudged, PromotionRejected
from cbi_common.events.regime import RegimeDetected
from cbi_common.events.training import Device, ModelFailed, ModelTrained, TrainingPlanned

T = TypeVar("T", bound=EventData)

Stage = Literal["ingest", "training", "ensemble", "conclusions", "done", "rejected"]


class Planned(NamedTuple):
    """One result that a trainer promised."""

    model_id: str
    horizon: Horizon
    device: Device


@dataclass(frozen=True, eq=False)
class Run:
    """One pass through the system: the events that share a correlation id, in the order of their time.

    Of several events that say the same thing the latest counts, and a final forecast before any provisional one.
    """

    correlation_id: str
    events: tuple[Envelope[Any], ...]

    @property
    def started(self) -> datetime:
        """Time of the first event."""
        return self.events[0].time

    @property
    def ended(self) -> datetime:
        """Time of the newest event so far."""
        return self.events[-1].time

    @cached_property
    def _kinds(self) -> dict[type[EventData], list[Envelope[Any]]]:
        found: dict[type[EventData], list[Envelope[Any]]] = {}
        for event in self.events:
            found.setdefault(type(event.data), []).append(event)
        return found

    def of(self, kind: type[T]) -> list[Envelope[T]]:
        """Return the events of one class, oldest first."""
        if all(cls is kind or not issubclass(cls, kind) for cls in self._kinds):
            return list(self._kinds.get(kind, ()))
        return [event for event in self.events if isinstance(event.data, kind)]

    def _last(self, kind: type[T]) -> Envelope[T] | None:
        found = self.of(kind)
        return found[-1] if found else None

    @cached_property
    def request(self) -> DataRequested | None:
        """What was asked for; None for a run that a bare ``data.exported`` started."""
        found = self._last(DataRequested)
        return found.data if found else None

    @cached_property
    def export(self) -> Envelope[DataExported] | None:
        """The complete export."""
        complete = [event for event in self.of(DataExported) if event.data.complete]
        return complete[-1] if complete else None

    @cached_property
    def rejected(self) -> DataRejected | None:
        """Why the gate refused, if it did."""
        found = self._last(DataRejected)
        return found.data if found and self.export is None else None

    @cached_property
    def planned(self) -> tuple[Planned, ...]:
        """Every result that the trainers announced, sorted."""
        plans = {event.data.device: event.data for event in self.of(TrainingPlanned)}
        found = {Planned(j.model_id, h, p.device) for p in plans.values() for j in p.jobs for h in j.horizons}
        return tuple(sorted(found))

    @cached_property
    def results(self) -> dict[tuple[str, Horizon], ModelTrained | ModelFailed]:
        """What came of each model and horizon."""
        ended: list[ModelTrained | ModelFailed] = [
            event.data for event in self.events if isinstance(event.data, ModelTrained | ModelFailed)
        ]
        return {(data.model_id, data.horizon): data for data in ended}

    @cached_property
    def regime(self) -> Envelope[RegimeDetected] | None:
        """The regime at as_of."""
        return self._last(RegimeDetected)

    @cached_property
    def forecast(self) -> Envelope[ForecastReady] | None:
        """The forecast: the final one once there is one."""
        found = self.of(ForecastReady)
        final = [event for event in found if not event.data.provisional]
        return (final or found)[-1] if found else None

    @cached_property
    def explanation(self) -> Envelope[ExplanationReady] | None:
        """Attributions of the forecast."""
        return self._last(ExplanationReady)

    @cached_property
    def validations(self) -> dict[str, Envelope[ValidationCompleted]]:
        """Source (``walk_forward``, ``issued``) to its scores."""
        return {event.data.source: event for event in self.of(ValidationCompleted)}

    @cached_property
    def promotion(self) -> Envelope[GatesJudged] | Envelope[PromotionRejected] | None:
        """What the gates said last."""
        return self._last(GatesJudged) or self._last(PromotionRejected)

    @cached_property
    def backtest(self) -> Envelope[BacktestCompleted] | None:
        """What buying by the forecasts would have cost."""
        return self._last(BacktestCompleted)

    @cached_property
    def critical(self) -> AlertRaised | None:
        """The first critical alert that this run raised."""
        return next((e.data for e in self.of(AlertRaised) if e.data.severity == "critical"), None)

    @property
    def run_id(self) -> str | None:
        """Digest of the run's manifest; equal for two passes over equal inputs, None before the export."""
        return self.export.data.run_id if self.export else None

    @property
    def simulated(self) -> bool | None:
        """Whether the data come from the simulated market; None while nobody has said so."""
        source = self.export.data if self.export else self.rejected
        return source.simulated if source else None

    @cached_property
    def stage(self) -> Stage:
        """How far the run has come."""
        if self.rejected is not None:
            return "rejected"
        if self.export is None:
            return "ingest"
        if self.forecast is None or self.forecast.data.provisional:
            pending = not self.planned or any((p.model_id, p.horizon) not in self.results for p in self.planned)
            return "training" if pending else "ensemble"
        concluded = self.explanation and "walk_forward" in self.validations and self.promotion
        return "done" if concluded or not self.forecast.data.forecasts else "conclusions"

    @property
    def complete(self) -> bool:
        """Whether the final forecast, its explanation, its validation and the promoter's decision are there."""
        return self.stage == "done"

    @property
    def open(self) -> bool:
        """Whether more is to come: the run has neither ended nor raised a critical alert."""
        return self.stage not in ("done", "rejected") and self.critical is None


class Runs:
    """All runs that a sequence of events tells of; applying an event twice, or in another order, changes nothing."""

    def __init__(self, events: Iterable[Envelope[Any]] = ()) -> None:
        self._events: dict[str, dict[str, Envelope[Any]]] = {}
        self._kinds: dict[type[EventData], dict[tuple[str, str], Envelope[Any]]] = {}
        self._runs: dict[str, Run] = {}
        self._passes: list[Run] | None = None
        for event in events:
            self.apply(event)

    def apply(self, event: Envelope[Any]) -> None:
        """Take in one event."""
        known = self._events.setdefault(event.correlationid, {})
        if (before := known.get(event.id)) is not None:
            del self._kinds[type(before.data)][event.correlationid, event.id]
        known[event.id] = event
        self._kinds.setdefault(type(event.data), {})[event.correlationid, event.id] = event
        self._runs.pop(event.correlationid, None)
        self._passes = None

    def get(self, correlation_id: str) -> Run | None:
        """Return one run by its exact correlation id."""
        events = self._events.get(correlation_id)
        if events is None:
            return None
        if correlation_id not in self._runs:
            ordered = sorted(events.values(), key=lambda event: (event.time, event.id))
            self._runs[correlation_id] = Run(correlation_id, tuple(ordered))
        return self._runs[correlation_id]

    def all(self) -> list[Run]:
        """Return every pass over data, oldest first; a lone alert or drift report is no run."""
        if self._passes is None:
            started = (DataRequested, DataExported, DataRejected)
            runs = [run for run in map(self.get, self._events) if run and any(run.of(kind) for kind in started)]
            self._passes = sorted(runs, key=lambda run: (run.started, run.correlation_id))
        return list(self._passes)

    def of(self, kind: type[T]) -> list[Envelope[T]]:
        """Return the events of one class whatever run they belong to, oldest first."""
        found = [e for cls, events in self._kinds.items() if issubclass(cls, kind) for e in events.values()]
        return sorted(found, key=lambda event: (event.time, event.id))

    def latest_complete(self) -> Run | None:
        """Return the newest run that has everything."""
        return next((run for run in reversed(self.all()) if run.complete), None)

    def find(self, prefix: str) -> Run:
        """Return the newest run whose run id, or the id of one of whose events, starts with ``prefix``.

        Raises
        ------
        UsageError
            When there is none, or the prefix fits events of several runs.
        """
        runs = self.all()
        by_run_id = [run for run in runs if (run.run_id or "").startswith(prefix)]
        if by_run_id and len({run.run_id for run in by_run_id}) == 1:
            return by_run_id[-1]
        by_event = [run for run in runs if any(event.id.startswith(prefix) for event in run.events)]
        found = by_event or by_run_id
        if not found:
            raise UsageError(f"no run or event {prefix!r}", where="events", hint="`cbi status` lists the runs")
        if len(found) > 1:
            raise UsageError(f"{prefix!r} fits {len(found)} runs", where="events", hint="give more of the id")
        return found[0]
