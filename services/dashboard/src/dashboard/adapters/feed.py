"""Keeps what the dashboard knows up to date with the bus."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from cbi_common.core.clock import Clock, system_clock
from cbi_common.core.errors import CbiError
from cbi_common.reporting.decisions import KINDS
from cbi_common.runtime.cancellation import end
from cbi_common.runtime.journal import Journal
from cbi_common.runtime.streams import DEAD, LEDGER
from dashboard.domain.answers import GivenUp
from dashboard.domain.known import Known

_log = logging.getLogger(__name__)

_AGAIN_S = 1.0
_LETTERS_AGAIN_S = 10.0
"""Others replay letters too, which leaves no trace but that they are gone."""


def keep_current(
    journal: Journal, known: Known, clock: Clock = system_clock
) -> Callable[[object], AbstractAsyncContextManager[None]]:
    """Return a lifespan that folds every event, old and new, into ``known`` while the application is served.

    The stream is read from its beginning at each start and no consumer remembers a place in it: after a restart, or for
    a second copy of the page, the same events give the same answers.
    """

    @asynccontextmanager
    async def lifespan(_application: object) -> AsyncIterator[None]:
        known.reading = True
        reads = (_events, _new_letters, _letters_left)
        tasks = [asyncio.create_task(_patiently(read, journal, known, clock)) for read in reads]
        try:
            yield
        finally:
            await end(tasks)

    return lifespan


async def _patiently(
    read: Callable[[Journal, Known], Awaitable[None]], journal: Journal, known: Known, clock: Clock
) -> None:
    while True:
        try:
            await read(journal, known)
            known.connection(None)
        except CbiError as error:  # the bus is not there yet, or refuses: the page says so and goes on with what it has
            _log.debug("%s", error)
            known.connection(known.lost or clock())
        await asyncio.sleep(_AGAIN_S)


async def _events(journal: Journal, known: Known) -> None:
    position = await journal.position()
    for event in await journal.events([kind.subject for kind in KINDS], stream=LEDGER):  # kept longer than events are
        known.decisions.apply(event)
    for event in await journal.events():
        known.apply(event)
    known.read_through()
    settle()
    async for event in journal.follow(after=position):
        known.apply(event)


def settle() -> None:
    """Tell the garbage collector that what is known stays: a year of events costs it half a second at each look."""
    gc.collect()
    gc.freeze()


async def _new_letters(journal: Journal, known: Known) -> None:
    newest = known.given_up[-1].number if known.given_up else 0
    if await journal.position(stream=DEAD) > newest:
        known.give_up(await letters(journal))


async def _letters_left(journal: Journal, known: Known) -> None:
    await asyncio.sleep(_LETTERS_AGAIN_S)
    if known.given_up:
        known.give_up(await letters(journal))


async def letters(journal: Journal) -> tuple[GivenUp, ...]:
    """Return the messages that were given up, oldest first."""
    return tuple(
        GivenUp(
            number=letter.number, published=letter.time, subject=letter.subject, consumer=letter.consumer,
            reason=letter.reason,
        )
        for letter in await journal.dead_letters()
    )  # fmt: skip
