"""What the buyer has said and done, folded into a book: the same events give the same book in any order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cbi_common.events.base import Envelope
from cbi_common.events.decision import CoverRecorded, CoverWithdrawn, NeedStated
from cbi_common.procurement.book import Book, Entry

KINDS = (NeedStated, CoverRecorded, CoverWithdrawn)


class Decisions:
    """Every event of the buyer's, each once."""

    def __init__(self, events: Iterable[Envelope[Any]] = ()) -> None:
        self._events: dict[str, Envelope[Any]] = {}
        for event in events:
            self.apply(event)

    def apply(self, event: Envelope[Any]) -> None:
        """Take in one event; any but the buyer's is ignored."""
        if isinstance(event.data, KINDS):
            self._events[event.id] = event

    def records(self, market: str, *, simulated: bool) -> tuple[Envelope[CoverRecorded], ...]:
        """Return what was recorded and not withdrawn, oldest first."""
        mine = self._of(market, simulated=simulated)
        gone = {event.data.record for event in mine if isinstance(event.data, CoverWithdrawn)}
        return tuple(event for event in mine if isinstance(event.data, CoverRecorded) and event.id not in gone)

    def book(self, market: str, *, simulated: bool) -> Book:
        """Return the book of a market; that of the simulated market is kept apart."""
        needs = [e.data for e in self._of(market, simulated=simulated) if isinstance(e.data, NeedStated)]
        entries = [
            Entry(event.id, purchase, event.data.by, event.data.answer.answer if event.data.answer else "")
            for event in self.records(market, simulated=simulated)
            for purchase in event.data.purchases
        ]
        return Book({said.since: said.quantity for said in needs}, tuple(entries))

    def _of(self, market: str, *, simulated: bool) -> list[Envelope[Any]]:
        mine = [e for e in self._events.values() if e.data.market == market and e.data.simulated == simulated]
        return sorted(mine, key=lambda event: (event.time, event.id))
