"""The buyer's log: what is needed, what was bought, how advice was answered, and what all of it has saved."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from cbi_common.core.horizon import Horizon
from cbi_common.events.base import Contract, Envelope
from cbi_common.events.decision import CoverRecorded
from cbi_common.markets.units import dollars
from cbi_common.procurement.book import Book
from cbi_common.procurement.savings import Saving, Savings, savings
from cbi_common.procurement.shares import Action
from dashboard.domain.answers import Origin
from dashboard.domain.months import Months


class CoverEntry(Contract):
    """One purchase; prices in the unit of the origin."""

    record: str
    """Id under which it is withdrawn."""
    month: str
    quantity: float
    price: float
    basis: float
    bought: date
    by: str
    answers: str
    """``accept`` or ``override`` when it answers advice, else empty."""
    spot: float | None
    """Price when the month began; None before that."""
    saved: float | None
    """Per pound against buying at that price, carry counted."""


class AnsweredAdvice(Contract):
    """How advice was answered."""

    record: str
    time: datetime
    by: str
    run_id: str
    horizon: Horizon
    action: Action
    advised: float
    """Pounds."""
    bought: float
    answer: str
    reason: str


class RealisedSavings(Contract):
    """What the purchases of months that have begun have saved against buying each month at spot."""

    of: str
    """``all``, ``accept``, ``override`` or ``own`` (bought without advice)."""
    purchases: int
    amount: float | None
    """Dollars."""
    fraction: float | None


class CoverAnswer(Contract):
    """The whole log."""

    origin: Origin
    carry: float
    """Assumed for each month that was bought ahead, in the unit of the origin."""
    needs: dict[str, float]
    """Pounds a month, from that month on."""
    entries: tuple[CoverEntry, ...]
    answers: tuple[AnsweredAdvice, ...]
    savings: tuple[RealisedSavings, ...]


def cover(
    origin: Origin, book: Book, records: Sequence[Envelope[CoverRecorded]], months: Months, carry: float
) -> CoverAnswer:
    """Return the log of a market as it stands."""
    found = savings(book, months.spot, carry)
    saved = {id(saving.entry): saving for saving in found.known}
    return CoverAnswer(
        origin=origin,
        carry=carry,
        needs=dict(sorted(book.needs.items())),
        entries=tuple(
            CoverEntry(
                record=entry.record, by=entry.by, answers=entry.answers, **entry.purchase.model_dump(),
                **_outcome(saved.get(id(entry))),
            )
            for entry in book.entries
        ),
        answers=tuple(_answered(event) for event in records if event.data.answer is not None),
        savings=tuple(_realised(found, kind, dollars(origin.unit)) for kind in ("all", "accept", "override", "own")),
    )  # fmt: skip


def _outcome(saving: Saving | None) -> dict[str, float | None]:
    return {"spot": None, "saved": None} if saving is None else {"spot": saving.spot, "saved": saving.saved}


def _answered(event: Envelope[CoverRecorded]) -> AnsweredAdvice:
    answer = event.data.answer
    assert answer is not None
    return AnsweredAdvice(
        record=event.id, time=event.time, by=event.data.by, run_id=answer.run_id, horizon=answer.horizon,
        action=answer.action, advised=sum(answer.advised.values()),
        bought=sum(purchase.quantity for purchase in event.data.purchases), answer=answer.answer, reason=answer.reason,
    )  # fmt: skip


def _realised(found: Savings, kind: str, worth: float | None) -> RealisedSavings:
    answers = {"all": None, "own": ""}.get(kind, kind)
    amount = found.amount(answers)
    count = sum(answers is None or saving.entry.answers == answers for saving in found.known)
    return RealisedSavings(
        of=kind,
        purchases=count,
        amount=None if worth is None or not count else amount * worth,
        fraction=found.fraction(answers),
    )
