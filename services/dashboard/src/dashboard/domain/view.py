"""From runs to answers: pure functions of the events and of today's date.

The run that is shown is the newest one that has what is asked for; when a newer attempt exists, the answer names it, so
that an old number is never taken for a new one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from cbi_common.core.errors import IncompleteError
from cbi_common.core.horizon import Horizon
from cbi_common.events.base import Envelope, EventData
from cbi_common.events.data import DataExported, DataRejected
from cbi_common.events.forecast import HorizonForecast
from cbi_common.events.monitoring import AlertRaised
from cbi_common.events.training import ModelFailed
from cbi_common.reporting.lineage import lake_objects
from cbi_common.reporting.projection import Run, Runs
from cbi_common.reporting.report import build_report, missing_horizons
from dashboard.domain.answers import (
    ForecastAnswer,
    LineageEvent,
    NewerRun,
    Origin,
    Prediction,
    PredictionsAnswer,
    QualityAnswer,
    RegimeAnswer,
    RunAnswer,
    RunDetail,
    TableAnswer,
)


def predictions(runs: Runs, today: date) -> PredictionsAnswer:
    """Return the forecasts of the newest run that has a final one.

    Raises
    ------
    IncompleteError
        When there is none.
    """
    run = forecast_run(runs)
    event = run.forecast
    assert event is not None
    return PredictionsAnswer(
        origin=origin_of(runs, run, event, today),
        predictions=tuple(_prediction(h, event.data.forecasts[h]) for h in Horizon if h in event.data.forecasts),
        missing=missing_horizons(run),
    )


def forecast(runs: Runs, horizon: Horizon, today: date) -> ForecastAnswer:
    """Return the forecast of one horizon.

    Raises
    ------
    IncompleteError
        When there is none, with the reason that the ensemble gave.
    """
    found = predictions(runs, today)
    for prediction in found.predictions:
        if prediction.horizon == horizon:
            return ForecastAnswer(origin=found.origin, prediction=prediction)
    raise IncompleteError(
        f"no forecast: {found.missing[horizon]}", where=f"{horizon} of run {found.origin.run_id}", hint="see /api/runs"
    )


def regime(runs: Runs, today: date) -> RegimeAnswer:
    """Return the newest state of the market.

    Raises
    ------
    IncompleteError
        When no run has detected one.
    """
    run = newest(runs, lambda run: run.regime is not None, "regime")
    event = run.regime
    assert event is not None
    data = event.data
    return RegimeAnswer(
        origin=origin_of(runs, run, event, today),
        state=data.state, previous_state=data.previous_state, probabilities=data.probabilities,
        nowcast_accuracy=data.nowcast_accuracy, forward_accuracy=data.forward_accuracy,
        persistence_accuracy=data.persistence_accuracy,
    )  # fmt: skip


def quality(runs: Runs) -> QualityAnswer:
    """Return the newest verdict of the data gate, be it good or bad.

    Raises
    ------
    IncompleteError
        When no run has one.
    """
    run = newest(runs, lambda run: run.export is not None or run.rejected is not None, "quality report")
    source: DataExported | DataRejected | None = run.export.data if run.export else run.rejected
    assert source is not None
    return QualityAnswer(
        request_id=run.correlation_id, market=source.market, warehouse=source.warehouse, as_of=source.as_of,
        decided=(run.export or run.events[-1]).time, simulated=bool(run.simulated),
        rejection=reason(run) if run.rejected else None, report=source.quality_report, full=False, note="",
        tables=_tables({name: table.model_dump() for name, table in source.quality.items()}),
    )  # fmt: skip


def in_full(answer: QualityAnswer, report: Mapping[str, Any]) -> QualityAnswer:
    """Return the answer with the findings of the full report, as it lies in the lake."""
    return answer.model_copy(update={"full": True, "tables": _tables(report["tables"])})


def summary(run: Run) -> RunAnswer:
    """Return a run in a line."""
    asked = (run.export.data if run.export else None) or run.rejected or run.request
    failed = sum(isinstance(result, ModelFailed) for result in run.results.values())
    return RunAnswer(
        request_id=run.correlation_id, run_id=run.run_id, as_of=asked.as_of if asked else None,
        profile=asked.profile if asked else None, simulated=run.simulated, stage=run.stage, started=run.started,
        newest_event=run.ended, planned=len(run.planned), trained=len(run.results) - failed, failed=failed,
        reason=reason(run),
    )  # fmt: skip


def detail(run: Run) -> RunDetail:
    """Return a run with its report and its lineage."""
    return RunDetail(summary=summary(run), report=build_report(run), lineage=tuple(map(_lineage, run.events)))


def alerts(runs: Runs) -> list[Envelope[AlertRaised]]:
    """Return the alerts that ask for attention, oldest first: of a condition the last one, unless it is over."""
    told = runs.of(AlertRaised)
    last = {(event.data.market, event.data.condition): event.id for event in told}
    return [
        event
        for event in told
        if event.data.severity != "info"
        and not event.data.resolved
        and (not event.data.condition or last[event.data.market, event.data.condition] == event.id)
    ]


def reason(run: Run) -> str:
    """Return why a run has no forecast, as far as it is known; empty when nothing went wrong."""
    if run.rejected is not None:
        found = run.rejected
        return f"data rejected: {found.table}, {found.check} ({found.count}): {found.message}"
    if run.critical is not None:
        return f"{run.critical.source}: {run.critical.what}"
    return "; ".join(f"{horizon}: {why}" for horizon, why in missing_horizons(run).items())


def forecast_run(runs: Runs) -> Run:
    """Return the newest run with a final forecast.

    Raises
    ------
    IncompleteError
        When there is none.
    """
    return newest(runs, lambda run: run.forecast is not None and not run.forecast.data.provisional, "forecast")


def newest(runs: Runs, has: Callable[[Run], bool], what: str) -> Run:
    """Return the newest run that has what is asked for.

    Raises
    ------
    IncompleteError
        When there is none, with the state of the newest one.
    """
    known = runs.all()
    for run in reversed(known):
        if has(run):
            return run
    state = f"the newest run is at {known[-1].stage}: {reason(known[-1])}" if known else "nothing has run yet"
    raise IncompleteError(
        f"no {what} yet; {state}".rstrip(": "), hint="`cbi run` or `cbi publish data.requested` makes one"
    )


def origin_of(runs: Runs, run: Run, event: Envelope[Any], today: date) -> Origin:
    """Return where the numbers of an event come from, and whether a newer run has tried to replace them.

    ``event`` is one of those that name their run, its market and its day.
    """
    last = runs.all()[-1]
    source = run.export.data if run.export else None
    newer = NewerRun(request_id=last.correlation_id, stage=last.stage, reason=reason(last))
    return Origin(
        run_id=event.data.run_id, request_id=run.correlation_id, market=event.data.market,
        title=source.title if source and source.title else event.data.market, unit=source.unit if source else "",
        as_of=event.data.as_of, published=event.time, age_days=(today - event.data.as_of).days, simulated=run.simulated,
        newer_run=None if last is run else newer,
    )  # fmt: skip


def _prediction(horizon: Horizon, found: HorizonForecast) -> Prediction:
    shared = {name: getattr(found, name) for name in Prediction.model_fields if hasattr(found, name)}
    scores = {name: getattr(found.metrics, name) for name in Prediction.model_fields if hasattr(found.metrics, name)}
    return Prediction.model_validate({**shared, **scores, "horizon": horizon})


def _tables(raw: Mapping[str, Any]) -> dict[str, TableAnswer]:
    return {name: TableAnswer.model_validate(table) for name, table in sorted(raw.items())}


def _lineage(event: Envelope[EventData]) -> LineageEvent:
    return LineageEvent(
        id=event.id, type=event.type, source=event.source, time=event.time, causationid=event.causationid,
        objects=tuple(lake_objects(event.data)),
    )  # fmt: skip
