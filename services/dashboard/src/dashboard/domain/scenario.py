"""What a forecast would be if a driver had moved."""

from __future__ import annotations

from datetime import date

from cbi_common.core.horizon import Horizon
from cbi_common.events.base import Contract


class ScenarioAnswer(Contract):
    """A forecast with and without a move of a driver today, prices in ``unit``."""

    run_id: str
    as_of: date
    simulated: bool
    unit: str
    horizon: Horizon
    driver: str
    move: float
    """Of the driver, as a fraction."""
    point: float
    lower_90: float
    upper_90: float
    moved_point: float
    moved_lower_90: float
    moved_upper_90: float
    changed: dict[str, float]
    """Driver group to what its changed features add to the forecast; empty where no model listens to the driver."""

    @property
    def difference(self) -> float:
        """What the move adds to the forecast."""
        return self.moved_point - self.point
