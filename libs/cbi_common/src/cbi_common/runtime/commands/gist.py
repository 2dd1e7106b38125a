"""What an event says, in a few words."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import Any

from cbi_common.events.base import Envelope
from cbi_common.events.data import DataExported, DataRejected, DataRequested
from cbi_common.events.decision import BacktestCompleted
from cbi_common.events.explanation import ExplanationReady
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.monitoring import AlertRaised, DriftDetected, ValidationCompleted
from cbi_common.events.promotion import GatesJudged, PromotionRejected
from cbi_common.events.regime import RegimeDetected
from cbi_common.events.training import ModelFailed, ModelTrained, TrainingPlanned
from cbi_common.reporting.report import in_order
from cbi_common.reporting.tables import percent

_LONGEST = 160


def gist(event: Envelope[Any]) -> str:
    """Return one line on an event; of an event that needs no words, who published it."""
    words = _WORDS.get(type(event.data), _nothing)(event.data)
    return textwrap.shorten(words, _LONGEST, placeholder=" …") if words else f"from {event.source}"


def _nothing(_data: Any) -> str:
    return ""


def _requested(data: DataRequested) -> str:
    refit = ", every model fitted anew" if data.refit else ""
    return f"{data.market}, {data.profile}, as of {data.as_of or 'the last day there is'}{refit} ({data.reason})"


def _exported(data: DataExported) -> str:
    sizes = ", ".join(f"{name} {d.rows:,} × {d.columns}" for name, d in data.datasets.items())
    return f"as of {data.as_of}, {sizes}" if data.complete else "by hand: the latest export again, all models refitted"


def _rejected(data: DataRejected) -> str:
    return f"{data.table}: {data.check}: {data.message}"


def _planned(data: TrainingPlanned) -> str:
    return f"{sum(len(job.horizons) for job in data.jobs)} models in {len(data.jobs)} jobs on {data.device}"


def _trained(data: ModelTrained) -> str:
    how = "from the cache" if data.status == "cached" else f"{data.fit_seconds:.1f} CPU s"
    return f"{data.model_id} {data.horizon}, {how}"


def _failed(data: ModelFailed) -> str:
    return f"{data.model_id} {data.horizon}: {data.error}"


def _detected(data: RegimeDetected) -> str:
    return f"{data.state}"


def _forecast(data: ForecastReady) -> str:
    return ", ".join(f"{h} {f.point:.2f} {f.signal}" for h, f in in_order(data.forecasts).items()) or "no horizon"


def _explained(data: ExplanationReady) -> str:
    return f"{len(data.explanations)} horizons"


def _validated(data: ValidationCompleted) -> str:
    return f"{len(data.horizons)} horizons, {data.source.replace('_', ' ')}"


def _bought(data: BacktestCompleted) -> str:
    signal = data.strategies.get("signal")
    if signal is None:
        return f"none: {data.why_not}"
    saved, best = percent(signal.savings_pct, signed=True), percent(signal.ceiling_pct)
    return f"the {data.horizon} signal would have saved {saved} of at most {best} over {data.months} months"


def _kept(data: PromotionRejected) -> str:
    return data.reason


def _judged(data: GatesJudged) -> str:
    return f"{', '.join(map(str, data.passed)) or 'no horizon'} passes policy {data.policy}"


def _drift(data: DriftDetected) -> str:
    return f"{data.kind}: {data.what or 'something no longer is what it was'}, {data.action}"


def _alert(data: AlertRaised) -> str:
    return f"{data.severity}: {data.source}: {data.what}"


_WORDS: dict[type, Callable[[Any], str]] = {
    DataRequested: _requested,
    DataExported: _exported,
    DataRejected: _rejected,
    TrainingPlanned: _planned,
    ModelTrained: _trained,
    ModelFailed: _failed,
    RegimeDetected: _detected,
    ForecastReady: _forecast,
    ExplanationReady: _explained,
    ValidationCompleted: _validated,
    BacktestCompleted: _bought,
    GatesJudged: _judged,
    PromotionRejected: _kept,
    DriftDetected: _drift,
    AlertRaised: _alert,
}
