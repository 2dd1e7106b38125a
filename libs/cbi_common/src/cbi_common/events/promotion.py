"""Events of the promoter context; the LEDGER stream keeps them for ever."""

from __future__ import annotations

from datetime import date
from typing import ClassVar, Literal

from cbi_common.core.horizon import Horizon
from cbi_common.events.base import Contract, EventData, LakeKey, LakeRef, MarketId


class GateResult(Contract):
    """Outcome of one gate; a gate whose inputs are missing has no value and fails."""

    id: str
    value: float | None
    threshold: float | None
    passed: bool
    detail: str
    evidence: tuple[LakeKey, ...] = ()
    """Lake objects that the value was computed from."""


class PolicyReport(Contract):
    """Gates of one policy and what they add up to."""

    gates: tuple[GateResult, ...]
    verdict: Literal["pass", "fail"]


class GateReport(Contract):
    """A candidate of one horizon under every policy."""

    candidate: str
    policies: dict[str, PolicyReport]


class GatesRequested(EventData):
    """The gates of a run are to be judged again: evidence has come that was not there before."""

    subject: ClassVar[str] = "gates.requested"

    market: MarketId
    run_id: str
    reason: str = "by hand"


class GatesJudged(EventData):
    """What the gates say of every horizon of a run, under every policy."""

    subject: ClassVar[str] = "gates.judged"

    market: MarketId
    run_id: str
    as_of: date
    simulated: bool
    policy: str
    """The one that decides."""
    gates: dict[Horizon, GateReport]
    passed: tuple[Horizon, ...]
    """Horizons that pass it."""


class PromotionRejected(EventData):
    """No candidate of the run was promoted; the report says why, gate by gate."""

    subject: ClassVar[str] = "promotion.rejected"

    market: MarketId
    run_id: str
    as_of: date
    policy: str
    gates: dict[Horizon, GateReport]
    reason: str


class ModelPromoted(EventData):
    """A candidate became champion."""

    subject: ClassVar[str] = "model.promoted"

    market: MarketId
    run_id: str
    horizon: Horizon
    model_id: str
    target: Literal["local", "vertex"]
    policy: str
    report: GateReport
    previous: str | None
    """Version that served before."""
    version: str = ""
    """Version that serves now: what the target calls it."""
    package: LakeRef | None = None
    """What is served."""
    rollback: bool = False
    """The previous champion was put back."""
    shadow: str = ""
    """What the comparison in the shadow said, or that it was left out."""


class ModelShadowed(EventData):
    """A challenger runs beside the champion without being served."""

    subject: ClassVar[str] = "model.shadowed"

    market: MarketId
    run_id: str
    horizon: Horizon
    challenger: str
    champion: str | None
    verdict: Literal["begun", "promote", "keep", "extend"] = "begun"
    e_value: float | None = None
    """Evidence against "the challenger is no better": in how many times a bet on it would have grown."""
    n: int = 0
    """Paired forecasts that have matured."""
    detail: str = ""
