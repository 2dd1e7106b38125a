"""Thresholds of the monitor, as its file states them; sessions are trading days, errors fractions of the price."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Sessions = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0, lt=1)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PerformanceRules(_Section):
    """When a horizon's errors have grown (DOMAIN section 9, DESIGN 9.10)."""

    floor: float = Field(gt=0)
    factor: float = Field(gt=1)
    window_sessions: Sessions
    independent_outcomes: Sessions
    checks: Sessions
    page_hinkley_delta: float = Field(ge=0)
    page_hinkley_threshold: float = Field(gt=0)
    page_hinkley_least: Sessions
    remembered_sessions: Sessions


class DirectionRules(_Section):
    """When forecasts point the wrong way more often than a coin."""

    outcomes: Sessions
    least: Sessions
    alpha: Share
    least_move: float = Field(ge=0)


class CoverageRules(_Section):
    """When bands hold fewer or more outcomes than they say."""

    outcomes: Sessions
    least: Sessions
    alpha: Share
    nominal: Share


class RegimeFailureRules(_Section):
    """When forecasts made in one regime are worse than no-change's."""

    outcomes: Sessions
    least: Sessions
    alpha: Share


class FeatureRules(_Section):
    """When a feature no longer is distributed as in the reference sample."""

    window_sessions: Sessions
    reference_sessions: Sessions
    least_reference: Sessions
    gap_sessions: Sessions
    bins: int = Field(ge=2)
    quantile: Share
    false_discoveries: Share
    memory_lag: Sessions
    memory: Share
    confirmations: Sessions


class CorrelationRules(_Section):
    """When two series no longer move together."""

    window_sessions: int = Field(ge=5)
    least_reference: Sessions
    gap_sessions: Sessions
    alpha: Share
    confirmations: Sessions
    least_link: Share


class FrozenRules(_Section):
    """When a feed tells the same value over and over."""

    equal: int = Field(ge=2)
    reference_sessions: Sessions


class UnseenRules(_Section):
    """When the market is outside of everything the models were trained on."""

    window_sessions: int = Field(ge=2)
    least_reference: Sessions
    gap_sessions: Sessions
    margin: float = Field(ge=1)
    confirmations: Sessions


class ConditionRules(_Section):
    """When a condition is over."""

    quiet_sessions: int = Field(ge=0)
    by_kind: dict[str, int] = {}
    """Sessions for some kinds of condition, by the first word of their name."""

    def quiet(self, condition: str) -> int:
        """Return the sessions after which a condition that is not met any more is over."""
        return self.by_kind.get(condition.partition("/")[0], self.quiet_sessions)


class RetrainingRules(_Section):
    """How often a drift may lead to a retrain."""

    cool_down_sessions: int = Field(ge=0)
    per_day: Sessions


class Rules(_Section):
    """All of them."""

    performance: PerformanceRules
    direction: DirectionRules
    coverage: CoverageRules
    regime_failure: RegimeFailureRules
    feature: FeatureRules
    correlation: CorrelationRules
    frozen: FrozenRules
    unseen: UnseenRules
    conditions: ConditionRules
    retraining: RetrainingRules
