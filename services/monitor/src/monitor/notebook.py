"""The monitor's books in the shared state: one per market and world, changed by compare-and-set."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from cbi_common.core.errors import TransientError
from cbi_common.events.base import EventData
from cbi_common.runtime.service import Outgoing
from cbi_common.runtime.state import State
from monitor.domain.conditions import Book

_ATTEMPTS = 20
PREFIX = "watched."
"""Begins the key of every book; the market and its world follow."""


class Turn(NamedTuple):
    """The next state of a book, and what is to be published for it."""

    book: Book
    answers: Sequence[Outgoing]


async def turn(
    state: State, market: str, simulated: bool, event_id: str, step: Callable[[Book], Awaitable[Turn]]
) -> list[Outgoing]:
    """Take a step in a book, once for an event: the same event again is answered as it was.

    Book and answers are written at once, so that neither a crash between the two nor a second delivery can part them.

    Raises
    ------
    TransientError
        When others keep changing the book in between.
    """
    key = f"{PREFIX}{market}.{'simulated' if simulated else 'real'}"
    for _ in range(_ATTEMPTS):
        entry = await state.entry(key)
        book = Book() if entry is None else Book.model_validate_json(entry[0])
        if event_id in book.answers:
            return [_read(answer) for answer in book.answers[event_id]]
        changed, answers = await step(book)
        if changed == book and not answers:
            return []
        new = changed.answered(event_id, [_written(answer) for answer in answers]).model_dump_json().encode()
        stored = await state.create(key, new) if entry is None else await state.compare_and_set(key, new, entry[1])
        if stored:
            return list(answers)
    raise TransientError("others keep changing it", where=f"state {key}", hint="it is tried again")


def _written(answer: Outgoing) -> dict[str, object]:
    data = answer.data.model_dump(mode="json")
    return {"subject": answer.data.subject, "discriminator": answer.discriminator, "data": data}


def _read(answer: dict[str, object]) -> Outgoing:
    cls = EventData.for_subject(str(answer["subject"]))
    return Outgoing(cls.model_validate(answer["data"]), discriminator=str(answer["discriminator"]))
