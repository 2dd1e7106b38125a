"""Events of the regime context."""

from __future__ import annotations

from datetime import date
from typing import ClassVar

from cbi_common.core.regime import Regime
from cbi_common.events.base import EventData, LakeRef, MarketId


class RegimeDetected(EventData):
    """The state of the market at as_of, and how good the detection has been."""

    subject: ClassVar[str] = "regime.detected"

    market: MarketId
    run_id: str
    as_of: date
    state: Regime
    probabilities: dict[Regime, float]
    previous_state: Regime | None
    """State at the session before; a transition is a difference."""
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
    n: int
    history: LakeRef
    """Table: session, date, label, state, one probability column per regime."""
