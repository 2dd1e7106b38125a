"""Events of the monitor context."""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar, Literal

from cbi_common.core.horizon import Horizon
from cbi_common.events.base import Contract, EventData, LakeRef, MarketId
from cbi_common.events.training import Metrics


class Slice(Contract):
    """Scores of the served forecast on a part of the matured cutoffs."""

    by: Literal["all", "regime", "era", "move", "driver"]
    """``driver``: the series with an expected sign that moved most, for its volatility, in the month before."""
    value: str
    metrics: Metrics
    coverage_90: float | None


class ValidationCompleted(EventData):
    """Matured forecasts against what happened.

    ``source`` says what was scored: ``walk_forward`` are the forecasts as they would have been served at past cutoffs,
    ``issued`` the forecasts that earlier runs really published.
    """

    subject: ClassVar[str] = "validation.completed"

    market: MarketId
    run_id: str
    as_of: date
    source: Literal["walk_forward", "issued"]
    horizons: dict[Horizon, tuple[Slice, ...]]
    models: LakeRef | None = None
    """JSON of `ModelSlices`; None of what was issued: there were no other forecasts."""


class ModelSlices(Contract):
    """Scores of every model on the cutoffs that the served forecast is scored on."""

    horizons: dict[Horizon, dict[str, tuple[Slice, ...]]]
    """Horizon to model id to its scores, over all cutoffs and by regime; no model has a band of its own."""


class DriftDetected(EventData):
    """Something no longer is what it was."""

    subject: ClassVar[str] = "drift.detected"

    market: MarketId
    kind: Literal["performance", "feature", "importance", "correlation", "regime"]
    evidence: dict[str, Any]
    action: Literal["retrain", "alert"]
    run_id: str | None = None
    as_of: date | None = None
    horizon: Horizon | None = None
    what: str = ""
    """In one line."""
    since: date | None = None
    """First day on which it could be seen."""


class AlertRaised(EventData):
    """What a person must know."""

    subject: ClassVar[str] = "alert.raised"

    market: MarketId | None = None
    severity: Literal["info", "warning", "critical"]
    source: str
    """Service and handler."""
    what: str
    hint: str = ""
    """What to do."""
    condition: str = ""
    """Name of what is wrong, the same for as long as it lasts; empty: it happened once and is over."""
    where: str = ""
    """Table, pair of series, horizon or regime concerned."""
    as_of: date | None = None
    since: date | None = None
    resolved: bool = False
    """The condition, raised before, holds no more."""


class MailRequested(EventData):
    """The daily mail is asked for: on a schedule, or by hand."""

    subject: ClassVar[str] = "mail.requested"

    market: MarketId
    reason: str = "by hand"
