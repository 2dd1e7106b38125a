"""The object that ``cbi run --json`` writes: fractions, prices in the market's unit, null for unknown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, TypeVar

from cbi_common.core.horizon import Horizon
from cbi_common.core.regime import Regime
from cbi_common.events.base import Contract, Envelope
from cbi_common.events.data import DataExported, DataRejected, TableQuality
from cbi_common.events.forecast import Combination, HorizonForecast, VolatilityScore
from cbi_common.events.monitoring import AlertRaised
from cbi_common.events.promotion import GateReport, GatesJudged, ModelPromoted, PromotionRejected
from cbi_common.events.regime import RegimeDetected
from cbi_common.events.training import Metrics, ModelFailed, ModelTrained
from cbi_common.procurement.result import StrategyResult
from cbi_common.reporting.projection import Run

C = TypeVar("C", bound=Contract)
V = TypeVar("V")


@dataclass(frozen=True)
class Measured:
    """What only the process that ran the stack can know."""

    wall_s: float
    cores: int
    peak_rss_mb: float | None
    """Peak of the summed proportional set size of all its processes."""


class QualityReport(Contract):
    """Verdict of the data gate on every table."""

    tables: dict[str, TableQuality]


class DatasetReport(Contract):
    """One exported dataset."""

    rows: int
    columns: int
    start: date
    end: date
    sha256: str
    dropped_columns: dict[str, str]


class ModelReport(Contract):
    """One model at one horizon; what a failed or missing one never told is null."""

    model_id: str
    family: str | None = None
    horizon: Horizon
    device: str
    dataset: str | None = None
    status: Literal["trained", "cached", "failed", "missing"]
    n_cutoffs: int | None = None
    refits: int | None = None
    cached_folds: int | None = None
    fit_seconds: float | None = None
    peak_mb: float | None = None
    metrics: Metrics | None = None
    error: str | None = None


class RegimeReport(Contract):
    """State of the market at as_of and how good its detection has been."""

    state: str
    probabilities: dict[str, float]
    nowcast_accuracy: float | None
    balanced_accuracy: float | None
    forward_accuracy: dict[str, float | None]
    persistence_accuracy: dict[str, float | None]
    switches_per_year: float | None = None
    detection_lag: float | None = None
    brier: float | None = None
    calibration_error: float | None = None


class EnsembleReport(Contract):
    """How the forecast of one horizon was made, and what forecasts made like it were worth."""

    combiner: str
    members: dict[str, float]
    metrics: Metrics
    longest: Metrics | None = None
    combinations: dict[str, Combination] = {}
    volatility: float
    volatility_weights: dict[str, float] = {}
    n_bands: int = 0
    coverage_90: float | None
    coverage_error: float | None = None
    coverage_by_regime: dict[str, float] = {}
    winkler_90: float | None
    worst_year_coverage: float | None
    worst_year_by_chance: float | None = None
    coverage_90_last60: float | None
    garch_coverage_90: float | None = None
    garch_winkler_90: float | None = None
    garch_better_p: float | None = None
    spa_p: float | None = None
    n_effective: float
    note: str


class ForecastReport(Contract):
    """The forecast of one horizon."""

    target_date: date
    point: float
    lower_90: float
    upper_90: float
    current: float
    no_change: float
    signal: str
    probability_up: float
    regime: str


class ExplanationReport(Contract):
    """Share of each driver group in the move from the baseline; with the residual they sum to it."""

    baseline: float
    groups: dict[str, float]
    residual: float
    why: tuple[str, ...] = ()
    driver_coverage: float | None = None
    """Share of the variance of ``n_past`` past forecasts that named driver groups account for."""
    n_past: int = 0


class RejectionReport(Contract):
    """Why nothing was trained."""

    table: str
    check: str
    count: int
    message: str


class Timings(Contract):
    """Where the time went; stages run partly side by side, so they do not sum to the wall time."""

    wall_s: float
    fit_cpu_s: float
    cores: int | None
    stages: dict[str, float]


class Report(Contract):
    """A run in one object (docs/architecture.md names every key)."""

    run_id: str | None
    request_id: str
    as_of: date | None
    market: str | None
    warehouse: str | None
    simulated: bool | None
    unit: str | None
    """Unit of every price in the report."""
    profile: str | None
    quality: QualityReport
    rejected: RejectionReport | None
    datasets: dict[str, DatasetReport]
    absent: dict[str, str] = {}
    """What the market file names and could not be made to the reason."""
    models: tuple[ModelReport, ...]
    volatility: tuple[VolatilityScore, ...]
    suspect: dict[str, tuple[str, ...]] = {}
    """Model id to why its scores are too good to be believed."""
    duplicates: dict[Horizon, tuple[tuple[str, ...], ...]] = {}
    """Groups of models that share one vote."""
    regime: RegimeReport | None
    ensemble: dict[Horizon, EnsembleReport]
    forecasts: dict[Horizon, ForecastReport]
    missing: dict[Horizon, str]
    explanations: dict[Horizon, ExplanationReport]
    gates: dict[Horizon, GateReport]
    backtest: dict[str, StrategyResult] = {}
    """Strategy to what it came to; empty until the backtest is there."""
    alerts: tuple[str, ...] = ()
    """What went wrong beside the forecast: where, and what."""
    timings: Timings
    peak_rss_mb: float | None


def build_report(run: Run, measured: Measured | None = None) -> Report:
    """Return the report of ``run`` as far as it has come.

    Parameters
    ----------
    run : Run
        Its events.
    measured : Measured, optional
        Measured time and memory. Without it the wall time is the span of the events; cores and memory are null.
    """
    source: DataExported | DataRejected | None = run.export.data if run.export else run.rejected
    asked = source or run.request
    forecast = run.forecast.data if run.forecast else None
    forecasts = in_order(forecast.forecasts if forecast else {})
    explained = in_order(run.explanation.data.explanations if run.explanation else {})
    return Report(
        run_id=run.run_id,
        request_id=run.correlation_id,
        as_of=asked.as_of if asked else None,
        market=asked.market if asked else None,
        warehouse=source.warehouse if source else None,
        simulated=run.simulated,
        unit=(run.export.data.unit or None) if run.export else None,
        profile=asked.profile if asked else None,
        quality=QualityReport(tables=source.quality if source else {}),
        rejected=_pick(RejectionReport, run.rejected) if run.rejected else None,
        datasets={
            name: _pick(DatasetReport, d) for name, d in (run.export.data.datasets if run.export else {}).items()
        },
        absent=run.export.data.absent if run.export else {},
        models=models(run),
        volatility=forecast.volatility if forecast else (),
        suspect=forecast.suspect if forecast else {},
        duplicates=in_order(forecast.duplicates if forecast else {}),
        regime=_regime(run.regime.data) if run.regime else None,
        ensemble={h: _ensemble(f) for h, f in forecasts.items()},
        forecasts={h: _pick(ForecastReport, f) for h, f in forecasts.items()},
        missing=missing_horizons(run),
        explanations={h: _pick(ExplanationReport, e) for h, e in explained.items()},
        gates=gates(run),
        backtest=run.backtest.data.strategies if run.backtest else {},
        alerts=tuple(f"{alert.data.source}: {alert.data.what}" for alert in run.of(AlertRaised)),
        timings=_timings(run, measured),
        peak_rss_mb=measured.peak_rss_mb if measured else None,
    )


def models(run: Run) -> tuple[ModelReport, ...]:
    """Return what came of every planned or reported model, sorted by horizon and model id."""
    found = {key: _model(result) for key, result in run.results.items()}
    for model_id, horizon, device in run.planned:
        found.setdefault(
            (model_id, horizon), ModelReport(model_id=model_id, horizon=horizon, device=device, status="missing")
        )
    order = list(Horizon)
    return tuple(found[key] for key in sorted(found, key=lambda key: (order.index(key[1]), key[0])))


def missing_horizons(run: Run) -> dict[Horizon, str]:
    """Return the horizons that the run's forecast lacks, each with the reason; empty while there is no forecast."""
    if run.forecast is None:
        return {}
    forecast = run.forecast.data
    return {h: forecast.missing.get(h, "the ensemble named no reason") for h in Horizon if h not in forecast.forecasts}


def gates(run: Run) -> dict[Horizon, GateReport]:
    """Return the gate report of every horizon that the promoter judged."""
    found: dict[Horizon, GateReport] = {}
    judged: list[Envelope[PromotionRejected] | Envelope[GatesJudged]] = [
        *run.of(PromotionRejected),
        *run.of(GatesJudged),
    ]
    for event in judged:
        found |= event.data.gates
    for promoted in run.of(ModelPromoted):
        found[promoted.data.horizon] = promoted.data.report
    return in_order(found)


def in_order(found: Mapping[Horizon, V]) -> dict[Horizon, V]:
    """Return the entries from the shortest to the longest horizon; JSON objects come back from the bus in any order."""
    return {horizon: found[horizon] for horizon in Horizon if horizon in found}


def _pick(kind: type[C], source: object, **extra: Any) -> C:
    return kind.model_validate({n: getattr(source, n) for n in kind.model_fields if hasattr(source, n)} | extra)


def _model(result: ModelTrained | ModelFailed) -> ModelReport:
    return (
        _pick(ModelReport, result) if isinstance(result, ModelTrained) else _pick(ModelReport, result, status="failed")
    )


def _regime(found: RegimeDetected) -> RegimeReport:
    return _pick(
        RegimeReport,
        found,
        probabilities={state: found.probabilities[state] for state in Regime if state in found.probabilities},
        forward_accuracy=dict(sorted(found.forward_accuracy.items(), key=lambda item: int(item[0]))),
        persistence_accuracy=dict(sorted(found.persistence_accuracy.items(), key=lambda item: int(item[0]))),
    )


def _ensemble(forecast: HorizonForecast) -> EnsembleReport:
    return _pick(EnsembleReport, forecast, n_effective=forecast.metrics.n_effective)


def _timings(run: Run, measured: Measured | None) -> Timings:
    fits = [event.data.fit_seconds for event in run.of(ModelTrained)]
    return Timings(
        wall_s=measured.wall_s if measured else (run.ended - run.started).total_seconds(),
        fit_cpu_s=sum(fits),
        cores=measured.cores if measured else None,
        stages=stages(run),
    )


def stages(run: Run) -> dict[str, float]:
    """Return the seconds from the event that set each stage off to the one that ended it; stages overlap."""
    start, export = run.started, _time(run.export)
    trained = max((e.time for e in run.events if isinstance(e.data, ModelTrained | ModelFailed)), default=None)
    regime, forecast = _time(run.regime), _time(run.forecast)
    members = max((time for time in (trained, regime) if time), default=None)
    validation = _time(run.validations.get("walk_forward"))
    spans = {
        "ingest": (start, export),
        "training": (export, trained),
        "regime": (export, regime),
        "ensemble": (members, forecast),
        "explain": (forecast, _time(run.explanation)),
        "monitor": (forecast, validation),
        "promoter": (forecast, _time(run.promotion)),
    }
    return {name: (end - begin).total_seconds() for name, (begin, end) in spans.items() if begin and end}


def _time(event: Envelope[Any] | None) -> datetime | None:
    return event.time if event else None
