"""What the API answers: every number with its date, its run, and whether it is simulated."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from cbi_common.core.horizon import Horizon
from cbi_common.core.regime import Regime
from cbi_common.events.base import Contract, LakeRef
from cbi_common.events.data import Finding, TableQuality
from cbi_common.events.forecast import Signal
from cbi_common.reporting.projection import Stage
from cbi_common.reporting.report import Report


class Refusal(Contract):
    """Why there is no answer: what, where, and what to do."""

    detail: str


class NewerRun(Contract):
    """A pass that began after the one shown and has not replaced it."""

    request_id: str
    stage: Stage
    reason: str


class Origin(Contract):
    """Where a number comes from and how old it is."""

    run_id: str
    request_id: str
    market: str
    title: str
    """What the market is called."""
    unit: str
    """Unit of every price."""
    as_of: date
    published: datetime
    age_days: int
    """Calendar days from as_of to today."""
    simulated: bool | None
    newer_run: NewerRun | None
    """Set when the numbers are older than the newest attempt to replace them."""


class Prediction(Contract):
    """Forecast of one horizon in the unit of its origin, its record beside it."""

    horizon: Horizon
    target_date: date
    point: float
    lower_90: float
    upper_90: float
    current: float
    no_change: float
    signal: Signal
    probability_up: float
    regime: Regime
    skill: float | None
    dm_p: float | None
    n_effective: float
    mape: float | None
    no_change_mape: float | None
    coverage_90: float | None
    note: str


class ForecastAnswer(Contract):
    """Forecast of one horizon."""

    origin: Origin
    prediction: Prediction


class PredictionsAnswer(Contract):
    """Forecasts of all horizons, and why one is missing."""

    origin: Origin
    predictions: tuple[Prediction, ...]
    missing: dict[Horizon, str]


class RegimeAnswer(Contract):
    """State of the market."""

    origin: Origin
    state: Regime
    previous_state: Regime | None
    probabilities: dict[Regime, float]
    nowcast_accuracy: float | None
    forward_accuracy: dict[str, float | None]
    persistence_accuracy: dict[str, float | None]


class FindingAnswer(Finding):
    """What one check found."""

    rows: tuple[dict[str, Any], ...] = ()
    """The first rows, as they stand in the table; only the full report has them."""


class TableAnswer(TableQuality):
    """Verdict of the data gate on one table."""

    findings: tuple[FindingAnswer, ...] = ()


class QualityAnswer(Contract):
    """Verdict of the data gate in the newest pass that has one."""

    request_id: str
    market: str
    warehouse: str | None
    as_of: date | None
    decided: datetime
    simulated: bool
    rejection: str | None
    """Why nothing was trained on these tables; None when they were accepted."""
    report: LakeRef | None
    """Where the full report lies."""
    full: bool
    """Whether ``tables`` hold one finding per column, with its first rows, or one per check without them."""
    note: str
    """Why they are not in full although there is a full report."""
    tables: dict[str, TableAnswer]


class RunAnswer(Contract):
    """One pass in a line."""

    request_id: str
    run_id: str | None
    as_of: date | None
    profile: str | None
    simulated: bool | None
    stage: Stage
    started: datetime
    newest_event: datetime
    planned: int
    trained: int
    failed: int
    reason: str


class LineageEvent(Contract):
    """One event of a pass and the lake objects that it names."""

    id: str
    type: str
    source: str
    time: datetime
    causationid: str | None
    objects: tuple[LakeRef, ...]


class RunDetail(Contract):
    """One pass with everything it came to and the events it consists of."""

    summary: RunAnswer
    report: Report
    lineage: tuple[LineageEvent, ...]


class GivenUp(Contract):
    """A message that a service could not take: malformed, or failed too often."""

    number: int
    published: datetime
    subject: str
    consumer: str
    reason: str
