"""What the streams hold: all events so far, the events from now on, the dead letters."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Collection
from typing import Any

from cbi_common.core.errors import ContractError, TransientError, UsageError
from cbi_common.events.base import Envelope, parse
from cbi_common.runtime.bus import Bus, unavailable
from cbi_common.runtime.deadletters import DeadLetter, correlation_of, payload_fields
from cbi_common.runtime.stored import Stored, read_all, read_next, read_one
from cbi_common.runtime.streams import ADVISORY_PREFIX, DEAD, EVENTS
from cbi_common.runtime.undelivered import Advisory

_log = logging.getLogger(__name__)

_POLL_S = 0.1


class Journal:
    """Reads the streams of one bus."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def events(self, subjects: Collection[str] | None = None, *, stream: str = EVENTS) -> list[Envelope[Any]]:
        """Return what a stream holds, oldest first; messages that break their contract are among the dead letters.

        Parameters
        ----------
        subjects : collection of str, optional
            Only these subjects.
        stream : str
            ``EVENTS``, ``JOBS`` or ``LEDGER``.
        """
        messages = await read_all(self._bus, stream, sorted(subjects or ()))
        return [event for event in map(_event, messages) if event is not None]

    async def position(self, *, stream: str = EVENTS) -> int:
        """Return the sequence of the newest message: given to `follow`, it misses nothing that is published later."""
        with unavailable(f"stream {stream}"):
            last: int = (await self._bus.jetstream.stream_info(stream)).state.last_seq
        return last

    async def after(self, sequence: int, *, stream: str = EVENTS) -> tuple[list[Envelope[Any]], int]:
        """Return what came after a sequence, oldest first, and the sequence of the newest message."""
        last = await self.position(stream=stream)
        if sequence == 0:
            return await self.events(stream=stream), last
        found: list[Envelope[Any]] = []
        while sequence < last:
            message = await read_next(self._bus, stream, sequence + 1)
            if message is None:
                break
            sequence = message.sequence
            event = _event(message)
            found += [] if event is None else [event]
        return found, max(sequence, last)

    async def follow(
        self, subjects: Collection[str] | None = None, *, after: int | None = None, stream: str = EVENTS
    ) -> AsyncIterator[Envelope[Any]]:
        """Yield events as they come, over outages of the bus, without end.

        Parameters
        ----------
        subjects : collection of str, optional
            Only these subjects.
        after : int, optional
            Begin after this sequence; None begins where the stream ends when the iteration begins.
        stream : str
            What to read.
        """
        last = await self.position(stream=stream) if after is None else after
        while True:
            message = await self._next(stream, last + 1)
            if message is None:
                await asyncio.sleep(_POLL_S)
                continue
            last = message.sequence
            event = _event(message) if subjects is None or message.subject in subjects else None
            if event is not None:
                yield event

    async def dead_letters(self) -> list[DeadLetter]:
        """Return all dead letters, oldest first."""
        return [await self._letter(message) for message in await read_all(self._bus, DEAD, [])]

    async def dead_letter(self, number: int) -> DeadLetter:
        """Return one dead letter.

        Raises
        ------
        UsageError
            When there is none with this number.
        """
        found = await read_one(self._bus, DEAD, number)
        if found is None:
            raise UsageError(f"none has number {number}", where="dead letters", hint="`cbi dead list` shows them")
        return await self._letter(found)

    async def replay(self, number: int) -> DeadLetter:
        """Publish a dead letter's message again on its subject and take the letter away.

        Raises
        ------
        UsageError
            When there is no such letter, or its message is no longer kept.
        """
        dead = await self.dead_letter(number)
        payload = dead.original()
        if payload is None:
            original = await read_one(self._bus, dead.stream, dead.sequence)
            if original is None:
                raise UsageError("its message is no longer kept", where=f"dead letter {number}")
            payload = original.data
        # Without its old message id, by which the stream would take it for a copy and drop it.
        await self._bus.send(dead.subject, payload, headers={"Cbi-Replay-Of": f"{dead.stream}:{dead.sequence}"})
        with unavailable("dead letters"):
            await self._bus.jetstream.delete_msg(DEAD, number)
        return dead

    async def _next(self, stream: str, sequence: int) -> Stored | None:
        # One request per event and no consumer: there is nothing to lose when the bus restarts.
        try:
            return await read_next(self._bus, stream, sequence)
        except TransientError as error:
            _log.debug("%s", error)
            return None

    async def _letter(self, message: Stored) -> DeadLetter:
        if message.subject.startswith(ADVISORY_PREFIX):
            return await self._undelivered(message)
        return DeadLetter.model_validate_json(message.data).model_copy(update={"number": message.sequence})

    async def _undelivered(self, message: Stored) -> DeadLetter:
        advisory = Advisory.model_validate_json(message.data)
        original = await read_one(self._bus, advisory.stream, advisory.stream_seq)
        kept = {"payload": None, "is_base64": False} if original is None else payload_fields(original.data)
        return DeadLetter(
            subject=original.subject if original else "",
            consumer=advisory.consumer,
            reason=f"delivered {advisory.deliveries} times without an answer: its handler kills the process",
            headers=original.headers if original else {},
            deliveries=advisory.deliveries,
            stream=advisory.stream,
            sequence=advisory.stream_seq,
            time=original.time if original else message.time,
            correlationid=correlation_of(original.data) if original else None,
            number=message.sequence,
            **kept,
        )


def _event(message: Stored) -> Envelope[Any] | None:
    try:
        return parse(
            message.data, subject=message.subject, stream=message.stream, sequence=message.sequence, now=message.time
        )
    except ContractError as error:
        _log.debug("%s", error)
        return None
