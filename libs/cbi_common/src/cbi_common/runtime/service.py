"""A service: what it listens to, what it publishes, and what it is given to work with."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from cbi_common.core.clock import Clock
from cbi_common.core.errors import UsageError
from cbi_common.events.base import Envelope, EventData
from cbi_common.runtime.bus import Bus
from cbi_common.runtime.cancellation import end
from cbi_common.runtime.delivery import Delivery
from cbi_common.runtime.settings import Settings
from cbi_common.runtime.state import State
from cbi_common.runtime.subscription import Handler, Outgoing, Subscription
from cbi_common.runtime.workers import Workers
from cbi_common.storage.lake import Lake

if TYPE_CHECKING:
    from faststream.nats import NatsBroker

__all__ = ["Build", "Handler", "Kit", "Outgoing", "Service", "Subscription", "discover"]

_GROUP = "cbi.services"


@dataclass(frozen=True)
class Kit:
    """What every service is given."""

    settings: Settings
    lake: Lake
    workers: Workers
    state: State
    clock: Clock


class Service:
    """A named set of subscriptions on one broker."""

    def __init__(self, name: str, kit: Kit, description: str = "") -> None:
        self.name = name
        self.kit = kit
        self.description = description
        self.bus = Bus(kit.settings, name)
        self.delivery = Delivery(name, self.bus, kit.clock, kit.settings.ack_wait_s)
        self.subscriptions: list[Subscription] = []
        self.asgi: Any | None = None
        self._beside: list[Callable[[], Coroutine[Any, Any, None]]] = []
        self._running: list[asyncio.Task[None]] = []
        self.reads = False
        """Whether it reads streams from their beginning, beside what it subscribes to."""
        self.watches = False
        """Whether it asks how far the consumers of all services are."""
        self._told: set[type[EventData]] = set()
        self._kept: set[str] = set()

    @property
    def broker(self) -> NatsBroker:
        """FastStream broker that carries the subscriptions."""
        return self.bus.broker

    def on(
        self,
        event: type[EventData],
        handler: Handler,
        *,
        publishes: tuple[type[EventData], ...] = (),
        parallel: int = 1,
        new_only: bool = False,
    ) -> None:
        """Subscribe ``handler`` to ``event``.

        Parameters
        ----------
        event : type[EventData]
            What to listen to.
        handler : Handler
            Called with the envelope, possibly twice with the same; returns the events to publish.
        publishes : tuple[type[EventData], ...]
            What it may return; anything else is refused.
        parallel : int
            Messages in work at a time in this process; 1 also means one at a time over all replicas.
        new_only : bool
            Ignore what was published before the first start.
        """
        name = getattr(handler, "__name__", "")
        if not name.isidentifier() or not inspect.iscoroutinefunction(handler):
            raise UsageError("a handler is a named coroutine function", where=f"{self.name}: {event.subject}")
        durable = f"{self.name}--{name}"
        if any(s.durable == durable for s in self.subscriptions):
            raise UsageError("two subscriptions share one handler name", where=durable, hint="give each its own method")
        subscription = Subscription(event, handler, durable, publishes, parallel, new_only)
        self.tells(*publishes)
        self.subscriptions.append(subscription)
        self.delivery.attach(subscription)

    @property
    def told(self) -> frozenset[type[EventData]]:
        """What it may publish."""
        return frozenset(self._told)

    @property
    def kept(self) -> frozenset[str]:
        """First parts of the keys that it may write in the shared state."""
        return frozenset(self._kept)

    def keeps(self, *keys: str) -> None:
        """Declare what it writes in the shared state: keys ``KEY`` and ``KEY.…``; its user may write no others."""
        self._kept.update(keys)

    async def start(self) -> None:
        """Start to take messages; the bus must be connected."""
        await self.delivery.start()
        self._running = [asyncio.create_task(work()) for work in self._beside]

    async def stop(self) -> None:
        """Hand back what is in work and disconnect."""
        await end(self._running)
        await self.delivery.stop()
        await self.bus.close()

    @property
    def ready(self) -> bool:
        """Whether the bus is connected and every subscription runs."""
        return self.bus.connected and self.delivery.running

    async def idle(self) -> bool:
        """Return whether it has nothing to do."""
        return await self.delivery.idle()

    def at_work_on(self, correlation_id: str) -> list[str]:
        """Return the handlers that have an event of this correlation in hand."""
        return self.delivery.at_work_on(correlation_id)

    def tells(self, *events: type[EventData]) -> None:
        """Declare what it publishes of itself or through a handler: what is not declared is in no document."""
        for event in events:
            if event not in self._told:
                self._told.add(event)
                self.broker.publisher(
                    event.subject,
                    schema=Envelope[event],  # type: ignore[valid-type]
                    title=f"{self.name}.{event.subject}",
                    description=event.__doc__,
                )

    def beside(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Keep ``work`` going, beside the handlers, for as long as the service runs; it is cancelled at the end."""
        self._beside.append(work)

    def serve(self, asgi_app: Any) -> None:
        """Serve an HTTP application for as long as the service runs and the settings name a dashboard port."""
        self.asgi = asgi_app


Build = Callable[[Kit], Service]


def discover(names: Iterable[str] | None = None) -> Mapping[str, Build]:
    """Return the installed services (or the named ones) by name, each as the function that builds it.

    Raises
    ------
    UsageError
        When a named service is not installed, or nothing is.
    """
    found: dict[str, EntryPoint] = {point.name: point for point in entry_points(group=_GROUP)}
    wanted = sorted(found) if names is None else list(names)
    installed = ", ".join(sorted(found)) or "none"
    for name in wanted:
        if name not in found:
            raise UsageError(f"no service {name!r}", where="services", hint=f"installed are: {installed}")
    return {name: found[name].load() for name in wanted}
