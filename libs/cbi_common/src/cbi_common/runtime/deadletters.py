"""Messages that were given up: what is kept of them."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any

from nats.aio.msg import Msg
from pydantic import BaseModel, ConfigDict

from cbi_common.events.wire import decode
from cbi_common.runtime.bus import Bus
from cbi_common.runtime.streams import DEAD_PREFIX

_LARGEST_PAYLOAD = 400_000


class DeadLetter(BaseModel):
    """One message that was given up, with all that is needed to judge it and to send it again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: str
    consumer: str
    """Who gave it up: ``<service>--<handler>``."""
    reason: str
    payload: str | None
    """Text, or base64 when it is none; None when it is too large and lies in its stream only."""
    is_base64: bool
    headers: dict[str, str]
    deliveries: int
    stream: str
    sequence: int
    time: datetime
    """When the message was published."""
    correlationid: str | None
    number: int = 0
    """Its number among the dead letters."""

    @classmethod
    def of(cls, message: Msg, reason: str, correlation: str | None) -> DeadLetter:
        """Return the dead letter of a delivered message."""
        place = message.metadata
        return cls(
            subject=message.subject,
            consumer=place.consumer,
            reason=reason,
            headers=dict(message.headers or {}),
            deliveries=place.num_delivered,
            stream=place.stream,
            sequence=place.sequence.stream,
            time=place.timestamp,
            correlationid=correlation,
            **payload_fields(message.data),
        )

    def original(self) -> bytes | None:
        """Return the payload as it was published, or None when it lies in its stream only."""
        if self.payload is None:
            return None
        return base64.b64decode(self.payload) if self.is_base64 else self.payload.encode()


def payload_fields(data: bytes) -> dict[str, Any]:
    """Return the fields of a letter that hold its payload."""
    if len(data) > _LARGEST_PAYLOAD:
        return {"payload": None, "is_base64": False}
    try:
        return {"payload": data.decode(), "is_base64": False}
    except UnicodeDecodeError:
        return {"payload": base64.b64encode(data).decode(), "is_base64": True}


def correlation_of(data: bytes) -> str | None:
    """Return the correlation id of a payload that may be anything."""
    try:
        raw = decode(data)
    except ValueError:
        return None
    found = raw.get("correlationid") if isinstance(raw, dict) else None
    return found if isinstance(found, str) else None


async def bury(bus: Bus, dead: DeadLetter, *, once_for_all: bool) -> None:
    """Store a dead letter.

    Parameters
    ----------
    bus : Bus
        Where to.
    dead : DeadLetter
        What.
    once_for_all : bool
        The message itself is at fault, so that every consumer gives it up: keep one letter, not one per consumer.
    """
    who = "all" if once_for_all else dead.consumer
    await bus.send(
        DEAD_PREFIX + dead.subject,
        dead.model_dump_json(exclude={"number"}).encode(),
        message_id=f"dead:{who}:{dead.stream}:{dead.sequence}",
    )
