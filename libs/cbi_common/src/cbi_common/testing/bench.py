"""A service under test on a real nats-server, with events and jobs of its own."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from cbi_common.core.clock import system_clock
from cbi_common.core.errors import TransientError
from cbi_common.events.base import Envelope, EventData
from cbi_common.runtime.bus import Bus
from cbi_common.runtime.deadletters import DeadLetter
from cbi_common.runtime.journal import Journal
from cbi_common.runtime.nats_server import NatsServer
from cbi_common.runtime.retry import RetryPolicy
from cbi_common.runtime.service import Kit, Outgoing, Service
from cbi_common.runtime.settings import Settings
from cbi_common.runtime.standalone import serve
from cbi_common.runtime.state import State
from cbi_common.runtime.workers import Workers
from cbi_common.storage.lake import Lake

T = TypeVar("T")

QUICK = RetryPolicy(transient_delays_s=(0.05,), transient_total_s=0.5, error_delays_s=(0.05, 0.05))


class Asked(EventData):
    """A question."""

    subject: ClassVar[str] = "test.asked"

    text: str
    run_id: str = "run"


class Answered(EventData):
    """Its answer."""

    subject: ClassVar[str] = "test.answered"

    text: str


class TaskQueued(EventData):
    """A job on the work queue."""

    subject: ClassVar[str] = "jobs.test"

    text: str


@dataclass
class Bench:
    """What a delivery test works with."""

    settings: Settings
    server: NatsServer
    bus: Bus
    journal: Journal
    services: list[Service] = field(default_factory=list)

    async def start(
        self, configure: Callable[[Service], None], *, policy: RetryPolicy = QUICK, name: str = "echo"
    ) -> Service:
        """Start a service in this process."""
        kit = Kit(
            settings=self.settings,
            lake=Lake(self.settings.lake),
            workers=Workers(self.settings.worker_slots, self.settings.job_cpu_limit_s),
            state=State(self.bus),
            clock=system_clock,
        )
        service = Service(name, kit)
        service.delivery.policy = policy
        configure(service)
        await service.bus.connect()
        await service.start()
        self.services.append(service)
        return service

    def spawn(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start the service of this module in a process of its own."""
        password = self.settings.nats_password
        assert password is not None
        bus = {
            "CBI_NATS_URL": self.settings.nats_url or "",
            "CBI_NATS_USER": self.settings.nats_user or "",
            "CBI_NATS_PASSWORD": password.get_secret_value(),
            "CBI_LAKE": self.settings.lake,
            "CBI_ACK_WAIT_S": str(self.settings.ack_wait_s),
        }
        return subprocess.Popen([sys.executable, "-m", __name__, *arguments], env={**os.environ, **bus, **environment})

    async def ask(self, text: str) -> Envelope[Any]:
        """Publish a question."""
        return await self.publish(Asked(text=text), f"ask-{text}")

    async def publish(self, data: EventData, event_id: str) -> Envelope[Any]:
        """Publish an event that nothing caused."""
        event = Envelope.first(data, source="test", now=system_clock(), event_id=event_id)
        await self.bus.publish(event)
        return event

    async def answers(self, count: int, *, within_s: float = 15) -> list[str]:
        """Wait for so many answers and return their texts."""
        events = await self.events(Answered, count, within_s=within_s)
        return [event.data.text for event in events]

    async def events(self, kind: type[EventData], count: int, *, within_s: float = 15) -> list[Envelope[Any]]:
        """Wait for so many events of one class and return all there are."""

        async def enough() -> list[Envelope[Any]] | None:
            found = await self.journal.events([kind.subject])
            return found if len(found) >= count else None

        return await eventually(enough, within_s=within_s)

    async def dead(self, count: int, *, within_s: float = 15) -> list[DeadLetter]:
        """Wait for so many dead letters and return all there are."""

        async def enough() -> list[DeadLetter] | None:
            found = await self.journal.dead_letters()
            return found if len(found) >= count else None

        return await eventually(enough, within_s=within_s)

    async def settled(self, stream: str, durable: str) -> None:
        """Wait until a consumer has nothing in hand and nothing to come."""

        async def empty() -> bool | None:
            info = await self.bus.jetstream.consumer_info(stream, durable)
            return (info.num_pending == 0 and info.num_ack_pending == 0) or None

        await eventually(empty)


@asynccontextmanager
async def bench(folder: Path, **settings: Any) -> AsyncIterator[Bench]:
    """Start a nats-server and connect to it; stop everything afterwards."""
    server = NatsServer(folder / "bus")
    await server.start()
    resolved = server.connected(Settings(**{"lake": str(folder / "lake"), "cores": 2, "ack_wait_s": 2, **settings}))
    bus = Bus(resolved, "test", patience_s=10)
    made = Bench(resolved, server, bus, Journal(bus))
    try:
        await bus.connect()
        await bus.declare_streams()
        yield made
    finally:
        await asyncio.gather(*(service.stop() for service in made.services))
        await bus.close()
        await server.stop()


async def eventually(probe: Callable[[], Awaitable[T | None]], *, within_s: float = 15) -> T:
    """Return the first thing that ``probe`` finds; while the bus is away it finds nothing."""
    found: T | None = None
    async with asyncio.timeout(within_s):
        while found is None:
            await asyncio.sleep(0.03)
            with suppress(TransientError):
                found = await probe()
    return found


class Echo:
    """Answers a question after a job that may be slow; used in a process of its own."""

    def __init__(self, kit: Kit, job: str) -> None:
        self._workers, self._job = kit.workers, job

    async def answer(self, event: Envelope[Asked]) -> list[Outgoing]:
        """Run the job and answer."""
        result = await self._workers.run(f"cbi_common.testing.jobs:{self._job}", json.loads(event.data.text))
        return [Outgoing(Answered(text=json.dumps(result.value)))]


def main(job: str) -> None:
    """Serve until told to stop."""
    settings = Settings.load()

    def build(kit: Kit) -> Service:
        service = Service("echo", kit)
        service.on(Asked, Echo(kit, job).answer, publishes=(Answered,))
        return service

    asyncio.run(serve("echo", build, settings))


if __name__ == "__main__":
    main(sys.argv[1])
