"""Events of the promoter context; the LEDGER stream keeps them for ever."""

from __future__ import annotations

from datetime import date
from typing import ClassVar, Literal

from cbi_common.core.horizon import Horizon
from cbi_common.events.base import Contract, EventData, MarketId


class GateResult(Contract):
    """Outcome of one gate; a gate whose inputs are missing has no value and fails."""

    id: str
    value: float | None
    threshold: float | None
    passed: bool
    detail: str


class PolicyReport(Contract):
    """Gates of one policy and what they add up to."""

    gates: tuple[GateResult, ...]
    verdict: Literal["pass", "fail"]


class GateReport(Contract):
    """A candidate of one horizon under every policy."""

    candidate: str
    policies: dict[str, PolicyReport]


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


class ModelShadowed(EventData):
    """A challenger runs beside the champion without being served."""

    subject: ClassVar[str] = "model.shadowed"

    market: MarketId
    run_id: str
    horizon: Horizon
    challenger: str
    champion: str | None
