"""Events of the explain context."""

from __future__ import annotations

from datetime import date
from typing import ClassVar

from cbi_common.core.horizon import Horizon
from cbi_common.events.base import Contract, EventData, MarketId


class HorizonExplanation(Contract):
    """Why one forecast differs from no-change; ``sum(groups) + residual == forecast - baseline``, all prices."""

    baseline: float
    forecast: float
    groups: dict[str, float]
    """Driver group to its share of the price; ``expectation`` and ``price_history`` are groups of their own."""
    drivers: dict[str, float]
    """Feature to its share, largest first."""
    residual: float
    why: tuple[str, ...] = ()
    """Three sentences, made by rules from the numbers."""


class ExplanationReady(EventData):
    """Attributions of a forecast."""

    subject: ClassVar[str] = "explanation.ready"

    market: MarketId
    run_id: str
    as_of: date
    explanations: dict[Horizon, HorizonExplanation]
