"""Events of the regime context."""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar

from pydantic import AfterValidator

from cbi_common.core.regime import Regime
from cbi_common.events.base import Contract, EventData, LakeRef, MarketId


def _in_class_order(chances: dict[Regime, float]) -> dict[Regime, float]:
    return {regime: chances[regime] for regime in Regime if regime in chances}


Probabilities = Annotated[dict[Regime, float], AfterValidator(_in_class_order)]
"""By regime, in the class order whatever the order in the JSON."""


class RegimeAhead(Contract):
    """The forecast of the label some sessions ahead, and how such forecasts have done; scores on one set of rows."""

    probabilities: Probabilities
    accuracy: float | None
    persistence_accuracy: float | None
    """Of the label of the day itself."""
    brier: float | None
    persistence_brier: float | None
    n: int


class RegimeChallenger(Contract):
    """Another way to call the regime, scored on the same rows against the same labels; it does not serve."""

    name: str
    state: Regime
    nowcast_accuracy: float | None
    balanced_accuracy: float | None
    forward_accuracy: dict[str, float | None]
    switches_per_year: float | None
    detection_lag: float | None


class RegimeDetected(EventData):
    """The state of the market at as_of, and how good the detection has been."""

    subject: ClassVar[str] = "regime.detected"

    market: MarketId
    run_id: str
    as_of: date
    state: Regime
    probabilities: Probabilities
    previous_state: Regime | None
    """State at the last session before as_of that the data hold, None when as_of is the first one called."""
    since: date | None = None
    """First session of the spell that as_of belongs to, or of the history if it began before."""
    sessions_in_state: int | None = None
    called_by: str | None = None
    """Which classifier gave the probabilities: the one with the smaller Brier score in the folds before."""
    nowcast_accuracy: float | None
    balanced_accuracy: float | None
    forward_accuracy: dict[str, float | None]
    """Sessions ahead ("5", "21") to the accuracy of today's probabilities' argmax against the label then."""
    persistence_accuracy: dict[str, float | None]
    switches_per_year: float | None = None
    detection_lag: float | None = None
    """Sessions from a change of the label to the state that has followed it, on average."""
    brier: float | None = None
    calibration_error: float | None = None
    """Distance between how sure the classifier was and how often it was right."""
    ahead: dict[str, RegimeAhead] = {}
    """Sessions ahead ("5", "21") to the forecast of the label then."""
    challenger: RegimeChallenger | None = None
    n: int
    history: LakeRef
    """Table: session, date, label, state, called_by, jump_state, one probability column per regime and step ahead."""

    @property
    def changed(self) -> bool:
        """Whether the state is another one than at the session before."""
        return self.previous_state is not None and self.previous_state != self.state
