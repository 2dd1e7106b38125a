"""Events of the ensemble context."""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cbi_common.core.horizon import Horizon
from cbi_common.core.regime import Regime
from cbi_common.events.base import Contract, EventData, LakeRef, MarketId
from cbi_common.events.regime import RegimeDetected
from cbi_common.events.training import Metrics

Probability = Annotated[float, Field(ge=0, le=1)]
Signal = Literal["BUY", "WAIT", "MONITOR"]


class Combination(Contract):
    """A way to combine the members, as it would have scored over the scored window had it always served."""

    skill: float | None
    dm_p: float | None
    beaten_p: float | None = None
    """One-sided Diebold-Mariano p-value of "what was served was closer than this one"."""
    served: Annotated[float, Field(ge=0, le=1)]
    """Share of the scored cutoffs at which it was the one that served."""


class HorizonForecast(Contract):
    """The forecast of one horizon; prices in the market's unit."""

    target_date: date
    target_session: int
    point: Annotated[float, Field(gt=0)]
    lower_90: Annotated[float, Field(gt=0)]
    upper_90: Annotated[float, Field(gt=0)]
    quantiles: dict[str, float]
    """Level ("0.05") to price."""
    current: Annotated[float, Field(gt=0)]
    no_change: Annotated[float, Field(gt=0)]
    signal: Signal
    probability_up: Probability
    """Probability that the price rises."""
    regime: Regime
    volatility: Annotated[float, Field(ge=0)]
    """Forecast standard deviation of the log return over the horizon."""
    volatility_weights: dict[str, Probability] = {}
    """Volatility model to its vote in ``volatility``."""
    combiner: str
    """Combination that served at as_of."""
    members: dict[str, float]
    """Model id to its weight; weights are >= 0 and sum to 1."""
    member_returns: dict[str, float] = {}
    """Model id to the log return it forecasts, of every member with a weight: ``point`` is ``current`` times the
    exponential of their weighted sum."""
    metrics: Metrics
    longest: Metrics | None = None
    """The same over every cutoff at which some member's errors had been maturing for a year."""
    combinations: dict[str, Combination] = {}
    spa_p: Probability | None = None
    """Hansen's test of superior predictive ability: the chance of a best score as good as this among all members and
    combinations of the run if none of them beat no-change; None below 10 effective windows."""
    n_bands: int = 0
    """Cutoffs whose bands are scored: since 2010, around what was served then."""
    coverage_90: Probability | None
    coverage_error: float | None = None
    """Standard error of the coverage, overlap of outcomes counted (HAC)."""
    coverage_by_regime: dict[str, Probability] = {}
    winkler_90: float | None
    worst_year_coverage: Probability | None
    worst_year_by_chance: Probability | None = None
    """What the worst year of a perfect band undercuts once in twenty times."""
    coverage_90_last60: Probability | None
    garch_coverage_90: Probability | None = None
    """Of the yardstick, no-change with a normal band of GARCH(1,1)'s volatility, on the same rows."""
    garch_winkler_90: float | None = None
    garch_better_p: Probability | None = None
    """One-sided Diebold-Mariano p-value of "the yardstick's Winkler score is smaller"."""
    note: str = ""


class ForecastReady(EventData):
    """The one final forecast of a run (or a provisional issue of it)."""

    subject: ClassVar[str] = "forecast.ready"

    market: MarketId
    run_id: str
    as_of: date
    simulated: bool
    provisional: bool
    manifest: LakeRef
    forecasts: dict[Horizon, HorizonForecast]
    missing: dict[Horizon, str] = {}
    """Horizon to the reason why it has no forecast."""
    missing_members: tuple[str, ...] = ()
    """``model@horizon`` of the members without a result: failed, or awaited."""
    awaited: tuple[str, ...] = ()
    """Of a provisional forecast: those that may still come, and ``regime`` where the regime's service was silent."""
    served: LakeRef
    """Table of the forecasts as they were served at every cutoff (ensemble/domain/serve.py)."""
    members: LakeRef
    """JSON of `LiveMembers`: what stands behind the live forecast."""
    volatility: tuple[VolatilityScore, ...] = ()
    suspect: dict[str, tuple[str, ...]] = {}
    """Model id, or ``ensemble``, to why its scores are too good to be believed; the limits do not apply to a simulated
    market, where what can be achieved is known."""
    duplicates: dict[Horizon, tuple[tuple[str, ...], ...]] = {}
    """Groups of models whose errors are one opinion: they share one vote."""


class VolatilityScore(Contract):
    """Score of a volatility model: QLIKE on variance, MAE in daily percentage points."""

    model_id: str
    """A model of the catalogue, or ``served``: what the bands are scaled by."""
    horizon: Horizon
    qlike: float
    mae: float
    skill: float | None = None
    """1 - QLIKE / QLIKE of EWMA 0.97 on the same rows."""
    skill_har: float | None = None
    """1 - QLIKE / QLIKE of HAR on the same rows, None where that was not trained."""
    n: int = 0


class LiveMember(Contract):
    """A member of the ensemble at as_of; the log return is over the horizon."""

    weight: Probability
    y_hat: float | None
    """None: the member has no forecast at as_of (and no weight)."""
    family: str
    learner: str
    dataset: str
    predictions: LakeRef
    artifact: LakeRef | None
    folds: LakeRef | None = None
    metrics: Metrics


class LiveMembers(Contract):
    """What stands behind a live forecast: explaining and judging need it, readers of the forecast do not."""

    horizons: dict[Horizon, dict[str, LiveMember]]
    regime: RegimeDetected | None
    """None in a provisional forecast that was issued without it."""


ForecastReady.model_rebuild()
