"""The terms of a what-if: how the reader buys, and by which forecasts."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cbi_common.core.horizon import Horizon
from cbi_common.events.base import Contract


class Terms(Contract):
    """How is bought; the defaults are those of `cbi backtest`."""

    horizon: Horizon = Horizon.M3
    """Forecasts to buy by."""
    need: Annotated[float, Field(ge=1, le=1e9)] = 600_000
    """Quantity used in a month, lb."""
    carry: Annotated[float, Field(ge=0, le=100)] = 0.25
    """Cost of a month ahead, in the unit of the price."""
    cover: Annotated[int, Field(ge=1, le=12)] = 6
    """Months ahead at most."""
