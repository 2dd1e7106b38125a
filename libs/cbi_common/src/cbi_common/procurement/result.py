"""What a strategy came to."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

LEAST_MONTHS = 24
"""Months below which no interval is given."""


class StrategyResult(BaseModel):
    """What a strategy came to; prices in the market's unit, shares as fractions of the baseline's average cost."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    average_cost: float
    savings_pct: float
    """Against buying monthly at spot, carry counted."""
    cover_pct: float
    """What a static strategy of the same mean cover would have saved: no forecast is needed for that part."""
    timing_pct: float
    """The rest: what deciding when has added."""
    savings_ci: tuple[float, float] | None
    """90 % interval by the stationary block bootstrap; None below `LEAST_MONTHS`."""
    cost_volatility: float
    """Standard deviation of the monthly change of the cost, as a fraction."""
    ceiling_pct: float
    """What perfect foresight would have saved."""
    share_of_ceiling: float | None
    carry: float
    """Average carry paid, in the price's unit."""
    roi: float | None
    """Savings before carry over the carry paid; None where none was paid."""
    break_even_carry: float | None
    """Cost of a month ahead at which nothing would have been saved; None where nothing was bought ahead."""
    mean_cover: float
    """Months bought ahead, on average."""
    worst_month: float
    """Largest cost of a month above the baseline's, as a fraction."""
    months: int
    rolled: float
    """Share of the pounds that were bought on the first session of a new front contract."""
