"""What the bus says of its consumers and streams, and the disk of its room."""

from __future__ import annotations

import shutil
from datetime import datetime

from nats.js.api import ConsumerInfo
from nats.js.errors import NotFoundError

from cbi_common.core.errors import TransientError
from cbi_common.runtime.bus import Bus, unavailable
from cbi_common.runtime.settings import Settings
from cbi_common.runtime.streams import DEAD, EVENTS, JOBS, LEDGER
from monitor.domain.gauges.bus import Disk, Queue, Size

_OWN = "--"
"""In the name of every consumer of a service; others are there for the moment."""


async def queues(bus: Bus) -> list[Queue]:
    """Return the consumers of all services, those of another process too.

    Raises
    ------
    TransientError, InfrastructureError
        When the bus is away or refuses.
    """
    found = []
    for stream in (EVENTS, JOBS):
        with unavailable(f"stream {stream}"):
            infos = await bus.jetstream.consumers_info(stream)
        found += [await _queue(bus, stream, info) for info in infos if _OWN in info.name]
    return sorted(found)


async def sizes(bus: Bus) -> tuple[list[Size], tuple[int, ...]]:
    """Return what each stream holds, and what changes whenever the dead letters do."""
    found: list[Size] = []
    dead: tuple[int, ...] = ()
    for stream in (EVENTS, JOBS, LEDGER, DEAD):
        with unavailable(f"stream {stream}"):
            state = (await bus.jetstream.stream_info(stream)).state
        found.append(Size(stream, state.messages, state.bytes))
        if stream == DEAD:
            dead = (state.messages, state.first_seq, state.last_seq)
    return found, dead


def disk(settings: Settings) -> Disk | None:
    """Return the room where the lake lies, None where it lies in a bucket."""
    if "://" in settings.lake:
        return None
    room = shutil.disk_usage(settings.lake)
    return Disk(room.free, room.total)


async def _queue(bus: Bus, stream: str, info: ConsumerInfo) -> Queue:
    waiting, in_work = info.num_pending or 0, info.num_ack_pending or 0
    if info.delivered is None or info.ack_floor is None:
        raise TransientError("a consumer without a position", where=info.name, hint="it is asked again")
    oldest = await _oldest(bus, stream, info) if waiting or in_work else None
    return Queue(stream, info.name, waiting, in_work, info.num_redelivered or 0, info.delivered.consumer_seq, oldest)


async def _oldest(bus: Bus, stream: str, info: ConsumerInfo) -> datetime | None:
    """Return when the first message after those that are acknowledged without a gap was published."""
    assert info.ack_floor is not None
    with unavailable(f"stream {stream}"):
        try:
            subject = info.config.filter_subject or ">"
            raw = await bus.jetstream.get_msg(stream, seq=info.ack_floor.stream_seq + 1, subject=subject, next=True)
        except NotFoundError:
            return None  # done meanwhile
    return raw.time
