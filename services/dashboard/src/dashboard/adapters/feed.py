"""Keeps what the dashboard knows up to date with the bus."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from cbi_common.core.errors import CbiError
from cbi_common.runtime.cancellation import end
from cbi_common.runtime.journal import Journal
from cbi_common.runtime.streams import DEAD
from dashboard.domain.answers import GivenUp
from dashboard.domain.known import Known

_log = logging.getLogger(__name__)

_AGAIN_S = 1.0


def keep_current(journal: Journal, known: Known) -> Callable[[object], AbstractAsyncContextManager[None]]:
    """Return a lifespan that folds every event, old and new, into ``known`` while the application is served.

    The stream is read from its beginning at each start and no consumer remembers a place in it: after a restart, or for
    a second copy of the page, the same events give the same answers.
    """

    @asynccontextmanager
    async def lifespan(_application: object) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(_patiently(read, journal, known)) for read in (_events, _dead_letters)]
        try:
            yield
        finally:
            await end(tasks)

    return lifespan


async def _patiently(read: Callable[[Journal, Known], Awaitable[None]], journal: Journal, known: Known) -> None:
    while True:
        try:
            await read(journal, known)
        except CbiError as error:  # the bus is not there yet, or refuses: the page goes on with what it has
            _log.debug("%s", error)
        await asyncio.sleep(_AGAIN_S)


async def _events(journal: Journal, known: Known) -> None:
    position = await journal.position()
    for event in await journal.events():
        known.runs.apply(event)
    async for event in journal.follow(after=position):
        known.runs.apply(event)


async def _dead_letters(journal: Journal, known: Known) -> None:
    newest = known.given_up[-1].number if known.given_up else 0
    if await journal.position(stream=DEAD) > newest:
        known.given_up = tuple(
            GivenUp(
                number=letter.number, published=letter.time, subject=letter.subject, consumer=letter.consumer,
                reason=letter.reason,
            )
            for letter in await journal.dead_letters()
        )  # fmt: skip
