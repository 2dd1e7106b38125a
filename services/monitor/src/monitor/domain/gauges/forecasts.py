"""The newest forecast of each market and world, how forecasts have scored, and the state of the market."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Any

from cbi_common.core.regime import Regime
from cbi_common.events.base import Envelope
from cbi_common.events.forecast import ForecastReady, HorizonForecast
from cbi_common.events.monitoring import Slice, ValidationCompleted
from cbi_common.events.regime import RegimeDetected
from cbi_common.reporting.projection import Runs
from monitor.domain.gauges.family import Family, Shown, world_of

_WHERE = ("market", "world", "horizon")
_SCORED = (*_WHERE, "source")
ISSUED = Family("cbi_forecast_issued_timestamp_seconds", "When the newest final forecast was published", _WHERE)
AS_OF = Family("cbi_forecast_as_of_timestamp_seconds", "Day that it was made as of, midnight UTC", _WHERE)
MOVE = Family("cbi_forecast_move_ratio", "Its point forecast over the current price, less 1", _WHERE)
BAND = Family("cbi_forecast_band_ratio", "Width of its 90 % band over the current price", _WHERE)
PROVISIONAL = Family("cbi_forecast_provisional", "Whether the newest forecast is provisional", ("market", "world"))
AWAITED = Family("cbi_forecast_awaited_members", "Members that it still waits for", ("market", "world"))
MISSING = Family("cbi_forecast_missing_horizons", "Horizons that it has no forecast for", ("market", "world"))
REGIME = Family("cbi_regime", "1 for the state of the market", ("market", "world", "state"))
MAPE = Family("cbi_score_mape_ratio", "MAPE of matured forecasts, a fraction", _SCORED)
UNCHANGED = Family("cbi_score_no_change_mape_ratio", "MAPE of no-change on the same rows", _SCORED)
SKILL = Family("cbi_score_skill_ratio", "1 - MAE / MAE of no-change", _SCORED)
COVERAGE = Family("cbi_score_coverage_ratio", "Share of outcomes inside the 90 % band", _SCORED)
DIRECTION = Family("cbi_score_direction_ratio", "Share of forecasts with the right sign", _SCORED)
COUNT = Family("cbi_score_forecasts", "Matured forecasts that were scored", _SCORED)
FAMILIES = (
    ISSUED, AS_OF, MOVE, BAND, PROVISIONAL, AWAITED, MISSING, REGIME, MAPE, UNCHANGED, SKILL, COVERAGE, DIRECTION,
    COUNT,
)  # fmt: skip

_SCORES: dict[Family, Callable[[Slice], float | None]] = {
    MAPE: lambda part: part.metrics.mape,
    UNCHANGED: lambda part: part.metrics.no_change_mape,
    SKILL: lambda part: part.metrics.skill,
    COVERAGE: lambda part: part.coverage_90,
    DIRECTION: lambda part: part.metrics.directional_accuracy,
    COUNT: lambda part: part.metrics.n,
}


def of_forecasts(runs: Runs) -> Shown:
    """Yield the newest forecasts; newest is what was made as of the latest day, and of these the last."""
    newest: dict[tuple[str, str, str], tuple[Envelope[ForecastReady], HorizonForecast]] = {}
    last: dict[tuple[str, str], Envelope[ForecastReady]] = {}
    for event in sorted(runs.of(ForecastReady), key=_recency):
        where = event.data.market, world_of(event.data.simulated)
        last[where] = event
        if not event.data.provisional:
            newest |= {(*where, str(horizon)): (event, found) for horizon, found in event.data.forecasts.items()}
    for labels, (event, forecast) in newest.items():
        yield ISSUED.of(*labels, value=event.time.timestamp())
        yield AS_OF.of(*labels, value=_midnight(event.data.as_of))
        yield MOVE.of(*labels, value=forecast.point / forecast.current - 1.0)
        yield BAND.of(*labels, value=(forecast.upper_90 - forecast.lower_90) / forecast.current)
    for where, event in last.items():
        yield PROVISIONAL.of(*where, value=event.data.provisional)
        yield AWAITED.of(*where, value=len(event.data.awaited))
        yield MISSING.of(*where, value=len(event.data.missing))


def of_scores(runs: Runs) -> Shown:
    """Yield the newest scores over all matured forecasts; what is not known is left out."""
    newest: dict[tuple[str, str, str], ValidationCompleted] = {}
    for event in sorted(runs.of(ValidationCompleted), key=_recency):
        newest[event.data.market, _world(runs, event), event.data.source] = event.data
    for (market, world, source), scored in newest.items():
        for horizon, parts in scored.horizons.items():
            for part in (part for part in parts if part.by == "all"):
                for family, read in _SCORES.items():
                    if (value := read(part)) is not None:
                        yield family.of(market, world, str(horizon), source, value=value)


def of_regimes(runs: Runs) -> Shown:
    """Yield the newest state of each market, a series for each state."""
    newest: dict[tuple[str, str], RegimeDetected] = {}
    for event in sorted(runs.of(RegimeDetected), key=_recency):
        newest[event.data.market, _world(runs, event)] = event.data
    for (market, world), found in newest.items():
        for state in Regime:
            yield REGIME.of(market, world, str(state), value=found.state == state)


def _world(runs: Runs, event: Envelope[Any]) -> str:
    run = runs.get(event.correlationid)
    return world_of(None if run is None else run.simulated)


def _recency(event: Envelope[Any]) -> tuple[date, datetime]:
    return event.data.as_of, event.time


def _midnight(day: date) -> float:
    return datetime.combine(day, time(), UTC).timestamp()
