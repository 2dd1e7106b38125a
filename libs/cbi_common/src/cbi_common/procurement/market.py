"""When can be bought at what price, and what is needed when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cbi_common.core.errors import DataError
from cbi_common.timeseries.calendar import session_date
from cbi_common.timeseries.dataset import Floats, Ints


@dataclass(frozen=True)
class Terms:
    """What the buyer has to live with; the same for every strategy and for the ceiling.

    Attributes
    ----------
    need : float > 0
        Pounds used in each calendar month.
    carry : float >= 0
        Storage and money, in the unit of the price per month that a pound is bought ahead.
    cover : int >= 1
        Months ahead that may be bought, the running one not counted.
    lot : float > 0
        Pounds of a contract: orders are rounded to whole ones, and what a month lacks is bought in the end as it is.
    """

    need: float = 600_000.0
    carry: float = 0.25
    cover: int = 6
    lot: float = 60_000.0


@dataclass(frozen=True)
class Market:
    """Decision days, ascending, d of them, over m months in which something is needed.

    Attributes
    ----------
    sessions : (d,) int64
        Days on whose close is decided.
    close : (d,) float64
        Price then.
    fill : (d,) float64
        Close of the session after, at which an order is filled, basis included.
    month : (d,) int64
        Month of the decision, counted from the first.
    due : (m,) int64
        First decision of each month: what it needs is bought by then.
    rolled : (d,) bool
        Whether an order is filled on the first session of a new front contract, whose price is another thing's.
    """

    sessions: Ints
    close: Floats
    fill: Floats
    month: Ints
    due: Ints
    rolled: NDArray[np.bool_]

    @property
    def months(self) -> int:
        """Number of months in which something is needed."""
        return len(self.due)

    def window(self, month: int, cover: int) -> slice:
        """Return the decisions at which a month's need may be bought."""
        first = int(np.searchsorted(self.month, month - cover))
        return slice(first, int(self.due[month]) + 1)

    def ahead(self, month: int, decisions: slice) -> Ints:
        """Return how many months before it each of the decisions is."""
        return month - self.month[decisions]


def market_of(
    cutoffs: Ints,
    sessions: Ints,
    price: Floats,
    cover: int,
    *,
    basis: Floats | None = None,
    rolls: NDArray[np.bool_] | None = None,
) -> Market:
    """Return the market of a buyer who decides on some days.

    Months count from the first one that could have been covered as far ahead as ``cover`` allows, so that every
    strategy has had the same chances for every pound.

    Parameters
    ----------
    cutoffs : (k,) int64, ascending
        Sessions on which is decided.
    sessions : (n,) int64, ascending
        Sessions with a price.
    price : (n,) float64
    cover : int
    basis : (n,) float64, optional
        Added to every fill.
    rolls : (n,) bool, optional
        Sessions on which the front contract is a new one.

    Raises
    ------
    DataError
        When there is no month that could have been covered.
    """
    place = np.searchsorted(sessions, cutoffs)
    usable = (place < len(sessions) - 1) & (sessions[np.minimum(place, len(sessions) - 1)] == cutoffs)
    place = place[usable]
    paid = price if basis is None else price + basis
    days = [session_date(int(session)) for session in sessions[place]]
    month = np.array([day.year * 12 + day.month for day in days], dtype=np.int64)
    if not len(month):
        raise DataError("no decision has a session after it", where="procurement")
    month -= month[0]
    whole = np.arange(cover + 1, int(month[-1]) + 1)
    due = np.searchsorted(month, whole)
    reached = (due < len(month)) & (month[np.minimum(due, len(month) - 1)] == whole)
    if not reached.any() or not reached.all():
        raise DataError("a month without a decision, or too short a history", where="procurement")
    return Market(
        sessions=sessions[place],
        close=price[place],
        fill=paid[place + 1],
        month=month - (cover + 1),
        due=due,
        rolled=np.zeros(len(place), dtype=bool) if rolls is None else rolls[place + 1],
    )
