"""Events of the explain context."""

from __future__ import annotations

from datetime import date
from typing import ClassVar, Literal

from cbi_common.core.horizon import Horizon
from cbi_common.events.base import Contract, EventData, LakeRef, MarketId


class SignCheck(Contract):
    """Whether a driver pushed the forecasts as the market file says that it pushes the price."""

    series: str
    expected: Literal[-1, 1]
    found: float | None
    """Rank correlation, over past cutoffs, of the driver's value with what it contributed; None: it said nothing."""
    n: int
    agrees: bool | None


class ImportanceShift(Contract):
    """How alike the driver groups' importance in the last year is to what it was in all the time before."""

    correlation: float
    """Rank correlation over the groups."""
    lowest: float | None
    """The lowest that it had been before; None where the past is too short to tell."""
    recent: dict[str, float]
    """Driver group to its share in the last year, largest first."""
    since: date
    """First cutoff of the last year."""
    drifted: bool
    """The order is unlike the one before, and more so than it ever was."""


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
    driver_coverage: float | None = None
    """The plan's SHAP coverage: share of the variance of past forecasts that named driver groups account for."""
    importance: dict[str, float] = {}
    """Driver group to its share of all that moved the forecasts of the past cutoffs, largest first."""
    shift: ImportanceShift | None = None
    """None where there are too few past cutoffs to compare."""
    signs: dict[str, SignCheck] = {}
    """Feature to how it pushed those forecasts."""
    n_past: int = 0
    """Past cutoffs that these are of; 0 where the models of the time are not known."""


class ExplanationReady(EventData):
    """Attributions of a forecast."""

    subject: ClassVar[str] = "explanation.ready"

    market: MarketId
    run_id: str
    as_of: date
    explanations: dict[Horizon, HorizonExplanation]
    forecast: LakeRef | None = None
    """JSON of the `ForecastReady` that is explained."""
