"""What purchases have saved against buying each month at spot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cbi_common.procurement.book import Book, Entry
from cbi_common.procurement.month import month_of, months_between


@dataclass(frozen=True)
class Saving:
    """A purchase whose month has begun, prices in the market's unit.

    Attributes
    ----------
    spot : price when the month began, at which the baseline buys
    carry : paid for having bought ahead
    saved : spot - price - carry, per pound; the basis is the same either way
    """

    entry: Entry
    spot: float
    carry: float
    saved: float

    @property
    def amount(self) -> float:
        """Saved in all: pounds times the price's unit."""
        return self.saved * self.entry.purchase.quantity


@dataclass(frozen=True)
class Savings:
    """What has been saved so far.

    Attributes
    ----------
    known : of months that have begun, in the order of the book
    open : of months that have not
    """

    known: tuple[Saving, ...]
    open: tuple[Entry, ...]

    def amount(self, answers: str | None = None) -> float:
        """Return what was saved in all, or by the purchases that answered advice in some way."""
        return sum(saving.amount for saving in self._of(answers))

    def fraction(self, answers: str | None = None) -> float | None:
        """Return it as a fraction of what the baseline would have paid, None where nothing is known."""
        found = self._of(answers)
        paid = sum((s.spot + s.entry.purchase.basis) * s.entry.purchase.quantity for s in found)
        return self.amount(answers) / paid if paid > 0 else None

    def _of(self, answers: str | None) -> tuple[Saving, ...]:
        return tuple(s for s in self.known if answers is None or s.entry.answers == answers)


def savings(book: Book, spot: Mapping[str, float], carry: float) -> Savings:
    """Return what the purchases of a book have saved.

    Parameters
    ----------
    book : Book
    spot : month to the price on its first session, of the months that have begun
    carry : float >= 0
        Cost of a month that is bought ahead, in the unit of the price.
    """
    known, waiting = [], []
    for entry in book.entries:
        purchase = entry.purchase
        if purchase.month not in spot:
            waiting.append(entry)
            continue
        paid = carry * max(months_between(month_of(purchase.bought), purchase.month), 0)
        price = spot[purchase.month]
        known.append(Saving(entry, price, paid, price - purchase.price - paid))
    return Savings(tuple(known), tuple(waiting))
