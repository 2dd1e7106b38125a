"""What a buyer has bought for a month."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from cbi_common.procurement.month import Month

Pounds = Annotated[float, Field(gt=0, le=1e10)]


class Purchase(BaseModel):
    """Cover for one month; price and basis in the market's unit."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    month: Month
    """In which it is used."""
    quantity: Pounds
    price: float = Field(gt=0, le=1e6)
    """Of the futures."""
    basis: float = Field(ge=-1e6, le=1e6)
    """Paid on top of the futures."""
    bought: date
    """Day of the deal."""
