"""Messages as a stream holds them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, RawStreamMsg
from nats.js.errors import NotFoundError

from cbi_common.core.errors import InfrastructureError
from cbi_common.runtime.bus import Bus, unavailable

_BATCH = 500
_FETCH_S = 5.0


@dataclass(frozen=True)
class Stored:
    """One message of a stream."""

    subject: str
    data: bytes
    headers: dict[str, str]
    stream: str
    sequence: int
    time: datetime
    """When the stream took it."""


async def read_all(bus: Bus, stream: str, subjects: list[str]) -> list[Stored]:
    """Return every message of ``stream`` now, oldest first; an empty list of subjects means all.

    Raises
    ------
    TransientError, InfrastructureError
        When the bus is away or refuses.
    """
    with unavailable(f"stream {stream}"):
        jetstream = bus.jetstream
        config = ConsumerConfig(ack_policy=AckPolicy.NONE, inactive_threshold=30, mem_storage=True)
        consumer = await jetstream.add_consumer(stream, config, filter_subjects=subjects or None)
        subscription = await jetstream.pull_subscribe_bind(consumer=consumer.name, stream=stream)
        found: list[Stored] = []
        try:
            while len(found) < (consumer.num_pending or 0):
                found.extend(map(_delivered, await subscription.fetch(_BATCH, timeout=_FETCH_S)))
        finally:
            await subscription.unsubscribe()
            await jetstream.delete_consumer(stream, consumer.name)
    return found


async def read_one(bus: Bus, stream: str, sequence: int) -> Stored | None:
    """Return the message with this sequence, or None when the stream has none."""
    return await _get(bus, stream, sequence, following=False)


async def read_next(bus: Bus, stream: str, sequence: int) -> Stored | None:
    """Return the first message with this sequence or a later one, or None when there is none yet."""
    return await _get(bus, stream, sequence, following=True)


async def _get(bus: Bus, stream: str, sequence: int, *, following: bool) -> Stored | None:
    with unavailable(f"stream {stream}"):
        try:
            subject = ">" if following else None
            raw = await bus.jetstream.get_msg(stream, seq=sequence, subject=subject, next=following)
        except NotFoundError:
            return None
    return _fetched(raw, stream)


def _delivered(message: Msg) -> Stored:
    place = message.metadata
    return Stored(
        subject=message.subject,
        data=message.data,
        headers=dict(message.headers or {}),
        stream=place.stream,
        sequence=place.sequence.stream,
        time=place.timestamp,
    )


def _fetched(raw: RawStreamMsg, stream: str) -> Stored:
    if raw.subject is None or raw.seq is None or raw.time is None:
        raise InfrastructureError("a message without subject, number or time", where=f"stream {stream}")
    return Stored(
        subject=raw.subject,
        data=raw.data or b"",
        headers=dict(raw.headers or {}),
        stream=stream,
        sequence=raw.seq,
        time=raw.time,
    )
