"""What to buy now: what a buyer's months lack of the cover that the policy asks for, in lots."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cbi_common.core.errors import IncompleteError
from cbi_common.procurement.book import Book
from cbi_common.procurement.month import later
from cbi_common.procurement.shares import Action, shares

_ROUNDING = 1e-9


@dataclass(frozen=True)
class MonthAdvice:
    """One month, in pounds.

    Attributes
    ----------
    share : float
        Of the need that the policy wants covered now.
    order : float
        To buy now: whole lots, but for the running month, which gets what it lacks.
    """

    month: str
    need: float
    bought: float
    share: float
    order: float

    @property
    def uncovered(self) -> float:
        """What the month lacks."""
        return max(self.need - self.bought, 0.0)


@dataclass(frozen=True)
class Advice:
    """What to buy now, month by month."""

    action: Action
    lot: float
    months: tuple[MonthAdvice, ...]

    @property
    def quantity(self) -> float:
        """Pounds to buy now."""
        return sum(month.order for month in self.months)

    @property
    def uncovered(self) -> float:
        """Pounds that these months lack."""
        return sum(month.uncovered for month in self.months)

    @property
    def orders(self) -> dict[str, float]:
        """Month to pounds, of the months for which something is to be bought."""
        return {month.month: month.order for month in self.months if month.order > 0}


def advise(book: Book, month: str, action: Action, cover: int, lot: float) -> Advice:
    """Return what to buy in a month: the same rule by which the backtest buys.

    Parameters
    ----------
    book : Book
    month : str
        The running one.
    action : str
        What the forecast says; ``MONITOR`` where it has no edge, which is cover by policy.
    cover : int
        Months ahead that may be bought.
    lot : float > 0
        Pounds of a contract.

    Raises
    ------
    IncompleteError
        When nobody has said what a month needs.
    """
    found = []
    for ahead, share in enumerate(shares(action, cover)):
        due = later(month, ahead)
        need = book.need(due)
        if need is None:
            hint = "`cbi cover need QUANTITY` or the form on the page Decisions"
            raise IncompleteError("nobody has said how much is needed", where=f"month {due}", hint=hint)
        bought = book.bought(due)
        lacking = max(need * share - bought, 0.0)
        order = lacking if ahead == 0 else lot * math.floor(lacking / lot + _ROUNDING)
        found.append(MonthAdvice(due, need, bought, share, order))
    return Advice(action, lot, tuple(found))
