"""Events of decisions: what buying by the forecasts would have cost, and what the buyer needs and has bought."""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from cbi_common.core.horizon import Horizon
from cbi_common.events.base import Contract, EventData, MarketId
from cbi_common.procurement.month import Month
from cbi_common.procurement.purchase import Pounds, Purchase
from cbi_common.procurement.result import StrategyResult
from cbi_common.procurement.shares import Action

Person = Annotated[str, StringConstraints(min_length=1, max_length=200)]
"""The name that the login proxy gave, ``token``, ``local``, or that of the account which ran a command."""
Reason = Annotated[str, StringConstraints(max_length=500, strip_whitespace=True)]
_MOST = 120


class BuyingTerms(Contract):
    """What every strategy had to live with."""

    need: float = Field(gt=0)
    """Quantity of a month."""
    carry: float = Field(ge=0)
    """Cost of a month that is bought ahead, in the unit of the price."""
    cover: int = Field(ge=1)
    """Months ahead at most."""
    lot: float = Field(gt=0)


class BacktestCompleted(EventData):
    """Buying by the forecasts of a run, simulated over its scored cutoffs."""

    subject: ClassVar[str] = "backtest.completed"

    market: MarketId
    run_id: str
    as_of: date
    simulated: bool
    horizon: Horizon
    """Forecasts that were bought by."""
    terms: BuyingTerms
    months: int = Field(ge=0)
    strategies: dict[str, StrategyResult]
    why_not: str = ""
    """Why there are none."""


class NeedStated(EventData):
    """The buyer said how much is used in a month, from some month on."""

    subject: ClassVar[str] = "need.stated"

    market: MarketId
    simulated: bool
    by: Person
    since: Month
    quantity: Annotated[float, Field(ge=0, le=1e10)]
    """Pounds a month."""


class Answer(Contract):
    """What the buyer did with advice."""

    run_id: str
    """Whose forecast it came from."""
    horizon: Horizon
    action: Action
    advised: dict[Month, Pounds]
    """Month to what was to be bought."""
    answer: Literal["accept", "override"]
    reason: Reason
    """Why the advice was not followed; empty when it was."""

    @model_validator(mode="after")
    def _an_override_has_a_reason(self) -> Self:
        if self.answer == "override" and not self.reason:
            raise ValueError("an override needs a reason")
        return self


class CoverRecorded(EventData):
    """The buyer bought, or answered advice without buying."""

    subject: ClassVar[str] = "cover.recorded"

    market: MarketId
    simulated: bool
    by: Person
    purchases: Annotated[tuple[Purchase, ...], Field(max_length=_MOST)]
    answer: Answer | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.purchases and self.answer is None:
            raise ValueError("it records neither a purchase nor an answer")
        return self


class CoverWithdrawn(EventData):
    """A record was a mistake, and counts no more."""

    subject: ClassVar[str] = "cover.withdrawn"

    market: MarketId
    simulated: bool
    by: Person
    record: str
    """Id of the event that recorded it."""
    reason: Reason
