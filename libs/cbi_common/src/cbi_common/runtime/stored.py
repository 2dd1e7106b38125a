"""Messages as a stream holds them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from nats.aio.client import Client
from nats.errors import NoRespondersError
from nats.js.api import Header, RawStreamMsg
from nats.js.errors import NotFoundError

from cbi_common.core.errors import InfrastructureError
from cbi_common.runtime.bus import Bus, unavailable

_BATCH = 500
_FETCH_S = 5.0
_STATUS = Header.STATUS.value


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

    The stream is asked for its messages in batches. A consumer would do, too, but whoever may make and delete consumers
    for the moment may do so with those of every service.

    Raises
    ------
    TransientError, InfrastructureError
        When the bus is away or refuses.
    """
    with unavailable(f"stream {stream}"):
        newest = (await bus.jetstream.stream_info(stream)).state.last_seq
        found: list[Stored] = []
        following = 1
        while following <= newest:
            batch = await _batch(bus.client, stream, following, subjects[0] if len(subjects) == 1 else ">")
            if not batch:
                break
            found += [message for message in batch if message.sequence <= newest]
            following = batch[-1].sequence + 1
    return [message for message in found if not subjects or message.subject in subjects]


async def _batch(client: Client, stream: str, sequence: int, subject: str) -> list[Stored]:
    inbox = client.new_inbox()
    subscription = await client.subscribe(inbox)
    try:
        order = json.dumps({"seq": sequence, "batch": _BATCH, "next_by_subj": subject}).encode()
        await client.publish(f"$JS.API.DIRECT.GET.{stream}", order, reply=inbox)
        found: list[Stored] = []
        while True:
            message = await subscription.next_msg(timeout=_FETCH_S)
            headers = dict(message.headers or {})
            if "Nats-Sequence" not in headers:
                _require_end(headers.get(_STATUS, ""), headers.get("Description", ""))
                return found
            found.append(_direct(message.data, headers))
    finally:
        await subscription.unsubscribe()


def _require_end(status: str, description: str) -> None:
    if status == "503":
        raise NoRespondersError
    if status not in ("204", "404"):  # the end of a batch; nothing that follows
        raise InfrastructureError(f"the bus refuses: {status} {description}", where="stream", hint="see the bus's log")


def _direct(data: bytes, headers: dict[str, str]) -> Stored:
    place = {name: headers.pop(f"Nats-{name}") for name in ("Stream", "Subject", "Sequence", "Time-Stamp")}
    for name in ("Nats-Num-Pending", "Nats-Last-Sequence"):
        headers.pop(name, None)
    return Stored(
        subject=place["Subject"],
        data=data,
        headers=headers,
        stream=place["Stream"],
        sequence=int(place["Sequence"]),
        time=_time(place["Time-Stamp"]),
    )


def _time(text: str) -> datetime:
    # Nanoseconds, of which a datetime keeps six digits.
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{fraction[:6]:0<6}+00:00")


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
