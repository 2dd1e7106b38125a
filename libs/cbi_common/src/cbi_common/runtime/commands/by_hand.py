"""Events made by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from pydantic.fields import FieldInfo

from cbi_common import events
from cbi_common.core.clock import system_clock
from cbi_common.core.errors import ContractError, UsageError
from cbi_common.core.identity import canonical_json, derived_id
from cbi_common.events.base import Envelope, EventData, parse
from cbi_common.runtime.bus import Bus
from cbi_common.runtime.lock import StackLock
from cbi_common.runtime.settings import Settings
from cbi_common.runtime.streams import stream_of

_SOURCE = "cli"
assert events.__all__  # importing the package registers every event


@dataclass(frozen=True)
class ByHand:
    """A message ready to be sent: an event, or raw bytes."""

    subject: str
    message: Envelope[Any] | bytes

    async def send(self, bus: Bus, settings: Settings) -> list[str]:
        """Publish it and return what to tell."""
        stream = stream_of(self.subject)
        if isinstance(self.message, bytes):
            sequence = await bus.send(self.subject, self.message)
            event_id = derived_id(stream, "external", str(sequence))
        else:
            sequence = await bus.publish(self.message)
            event_id = self.message.id
        told = [f"published {self.subject} as event {event_id} ({stream} {sequence})"]
        if settings.nats_url is None and StackLock(settings.stack_dir).address() is None:
            told.append("no stack is up: the bus keeps it until the next `cbi up` or `cbi run` on this lake")
        return [
            *told,
            f"look at it with `cbi trace {event_id[:8]}`, `cbi status`, and `cbi dead list` if it was refused",
        ]


def prepare(subject: str, words: Sequence[str], *, raw: bool) -> ByHand:
    """Return the message that the words of the command line mean.

    Parameters
    ----------
    subject : str
        Subject to publish on.
    words : sequence of str
        One JSON object (bare data or a whole CloudEvent), or ``key=value`` pairs whose values are JSON or plain text.
    raw : bool
        Send the words as they are.

    Raises
    ------
    UsageError
        When they do not make a valid event.
    """
    if raw:
        return ByHand(subject, " ".join(words).encode())
    try:
        event = parse(canonical_json(_object(words)), subject=subject, stream="", sequence=0, now=system_clock())
    except ContractError as error:
        raise UsageError(error.what, where=error.where, hint=error.hint) from error
    if event.source == "external":
        event = Envelope.first(event.data, source=_SOURCE, now=system_clock(), event_id=str(uuid4()))
    return ByHand(subject, event)


def _object(words: Sequence[str]) -> Any:
    if len(words) == 1 and "=" not in words[0].partition("{")[0]:
        try:
            return json.loads(words[0])
        except ValueError as error:
            raise UsageError(
                f"not JSON: {error}", where=words[0][:60], hint="give a JSON object or key=value pairs"
            ) from None
    pairs = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise UsageError("not key=value", where=word[:60], hint="give a JSON object or key=value pairs")
        pairs[key] = _value(value)
    return pairs


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def fields_of_all() -> list[tuple[str, str]]:
    """Return each subject with its fields in words."""
    return [
        (cls.subject, ", ".join(_field(name, info) for name, info in cls.model_fields.items()))
        for cls in EventData.classes()
    ]


def _field(name: str, info: FieldInfo) -> str:
    return name if info.is_required() else f"{name}?"
