"""The whole system in one process: bus, services, shared state, on one lake."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from types import TracebackType

from cbi_common.core.clock import Clock, system_clock
from cbi_common.core.errors import InfrastructureError
from cbi_common.runtime.bus import Bus
from cbi_common.runtime.host import Host
from cbi_common.runtime.lock import StackLock, occupied
from cbi_common.runtime.memory import MemoryWatch
from cbi_common.runtime.nats_server import NatsServer
from cbi_common.runtime.schedules import Schedule
from cbi_common.runtime.service import Service, discover
from cbi_common.runtime.settings import Settings

_log = logging.getLogger(__name__)

_SETTLE_S = 0.1
_LOOKS = 2  # a message on its way from the bus to a service is seen by neither


class Stack:
    """Embedded stack; ``async with`` starts and stops it.

    Parameters
    ----------
    settings : Settings
        Where the lake is; a bus named there is not used, the stack brings its own.
    services : iterable of str, optional
        Services to run; None runs all that are installed.
    clock : Clock
        Time by which they live.

    Attributes
    ----------
    settings : Settings
        The settings with the stack's bus in them, once started.
    bus : Bus
        Connection for whoever started the stack.
    started_s : float
        Seconds that the start took.
    """

    def __init__(self, settings: Settings, services: Iterable[str] | None = None, clock: Clock = system_clock) -> None:
        self.settings = settings
        self._clock = clock
        self.started_s = 0.0
        self._names = services
        self._lock = StackLock(settings.stack_dir)
        self._server = NatsServer(settings.stack_dir)
        self._memory = MemoryWatch()
        self._bus: Bus | None = None
        self._host: Host | None = None

    @property
    def bus(self) -> Bus:
        """The stack's own connection.

        Raises
        ------
        InfrastructureError
            Before the stack is started.
        """
        if self._bus is None:
            raise InfrastructureError("not started", where="stack", hint="use `async with Stack(...)`")
        return self._bus

    @property
    def services(self) -> list[Service]:
        """The running services."""
        return [] if self._host is None else self._host.services

    @property
    def schedules(self) -> tuple[Schedule, ...]:
        """What this stack asks for by the clock."""
        found = None if self._host is None else self._host.schedules
        return () if found is None else found.schedules

    @property
    def page_url(self) -> str | None:
        """Address of the dashboard's page, None when it is not served."""
        port = None if self._host is None else self._host.page_port
        return None if port is None else f"http://{self.settings.dashboard_host}:{port}"

    @property
    def nats_pid(self) -> int | None:
        """Process id of the nats-server."""
        return self._server.pid

    @property
    def peak_mb(self) -> float:
        """Highest memory of the process tree so far, in MiB."""
        return self._memory.peak_mb

    async def __aenter__(self) -> Stack:
        """Start everything.

        Raises
        ------
        InfrastructureError
            When another stack works on this lake, or a part cannot start.
        UsageError
            When a named service is not installed.
        """
        started = time.monotonic()
        if not self._lock.try_acquire():
            raise occupied(self._lock, self.settings)
        try:
            self._memory.start()
            await self._server.start()
            self.settings = self._server.connected(self.settings)
            self._bus = Bus(self.settings, "stack")
            await self._bus.connect()
            await self._bus.declare_streams()
            self._host = Host(self.settings, self._bus, discover(self._names).values(), self._clock)
            await self._host.open()
            await self._host.start()
            self._lock.announce(self.settings)
        except BaseException:
            await self._stop()
            raise
        self.started_s = time.monotonic() - started
        _log.info("stack is up after %.1f s with %d services", self.started_s, len(self.services))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hand back what is in work and stop everything."""
        await self._stop()

    async def settle(self, correlation_id: str, patience_s: float) -> None:
        """Wait until no handler is at work on this correlation, or patience ends; what is left goes on next time."""
        give_up = time.monotonic() + patience_s
        while time.monotonic() < give_up:
            busy = [name for service in self.services for name in service.at_work_on(correlation_id)]
            if not busy:
                return
            await asyncio.sleep(_SETTLE_S)
        _log.warning("%s still at work; it goes on with the next start", ", ".join(busy))

    async def idle(self) -> None:
        """Wait until no service has anything to do: whatever the last event led to has been led to."""
        looks = 0
        while looks < _LOOKS:
            await asyncio.sleep(_SETTLE_S)
            # One after the other: the first that is busy settles it.
            busy = False
            for service in self.services:
                busy = busy or not await service.idle()
            looks = 0 if busy else looks + 1

    async def _stop(self) -> None:
        if self._host is not None:
            await self._host.stop()
            self._host = None
        if self._bus is not None:
            await self._bus.close()
        await self._memory.stop()
        await self._server.stop()
        self._lock.release()
