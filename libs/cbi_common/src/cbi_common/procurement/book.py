"""A buyer's book: what is needed in which month, and what has been bought for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cbi_common.procurement.purchase import Purchase


@dataclass(frozen=True)
class Entry:
    """A purchase as it stands in the book.

    Attributes
    ----------
    record : str
        Id of the record that it came with; what is withdrawn is a record.
    by : str
        Who entered it.
    answers : str
        ``accept`` or ``override`` when it answers advice, else empty.
    """

    record: str
    purchase: Purchase
    by: str
    answers: str = ""


@dataclass(frozen=True)
class Book:
    """What is needed and what is covered.

    Attributes
    ----------
    needs : month to pounds a month
        From that month on, until the next.
    entries : purchases in the order in which they were entered
    """

    needs: Mapping[str, float] = field(default_factory=dict)
    entries: tuple[Entry, ...] = ()

    def need(self, month: str) -> float | None:
        """Return what a month needs, None when nobody has said."""
        since = max((first for first in self.needs if first <= month), default=None)
        return None if since is None else self.needs[since]

    def bought(self, month: str) -> float:
        """Return the pounds that are bought for a month."""
        return sum(entry.purchase.quantity for entry in self.entries if entry.purchase.month == month)
