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
    combiner: str
    members: dict[str, float]
    """Model id to its weight; weights are >= 0 and sum to 1."""
    metrics: Metrics
    coverage_90: Probability | None
    winkler_90: float | None
    worst_year_coverage: Probability | None
    coverage_90_last60: Probability | None
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
    horizon: Horizon
    qlike: float
    mae: float


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
    metrics: Metrics


class LiveMembers(Contract):
    """What stands behind a live forecast: explaining and judging need it, readers of the forecast do not."""

    horizons: dict[Horizon, dict[str, LiveMember]]
    regime: RegimeDetected


ForecastReady.model_rebuild()
