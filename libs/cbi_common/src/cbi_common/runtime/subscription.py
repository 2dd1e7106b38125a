"""What a handler is and what it returns."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cbi_common.events.base import Envelope, EventData


@dataclass(frozen=True)
class Outgoing:
    """An event that a handler wants published.

    The runtime derives its id from the cause, the subject and the discriminator: a handler that publishes several
    events of one class for one cause gives each its own discriminator.
    """

    data: EventData
    discriminator: str = ""
    cause: Envelope[Any] | None = None
    """None: the event that was handled."""


Handler = Callable[[Envelope[Any]], Awaitable[Sequence[Outgoing]]]


@dataclass(frozen=True)
class Subscription:
    """One handler of one event."""

    event: type[EventData]
    handler: Handler
    durable: str
    """Name of its consumer on the bus: ``<service>--<handler>``."""
    publishes: tuple[type[EventData], ...]
    parallel: int
    new_only: bool
