"""Services in this process: built on one kit, started together, stopped together."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from cbi_common.core.clock import Clock, system_clock
from cbi_common.runtime.bus import Bus
from cbi_common.runtime.ops import ops_app
from cbi_common.runtime.schedules import Schedules
from cbi_common.runtime.service import Build, Kit, Service
from cbi_common.runtime.serving import HttpServer
from cbi_common.runtime.settings import Settings
from cbi_common.runtime.state import State
from cbi_common.runtime.undelivered import Undelivered
from cbi_common.runtime.workers import Workers
from cbi_common.storage.lake import Lake


class Host:
    """Services and the HTTP that belongs to them.

    Parameters
    ----------
    settings : Settings
        Connected settings.
    bus : Bus
        Connection that the shared state goes over.
    builds : iterable of Build
        What builds the services, from `discover`.
    clock : Clock
        Time by which they live.
    """

    def __init__(self, settings: Settings, bus: Bus, builds: Iterable[Build], clock: Clock = system_clock) -> None:
        kit = Kit(
            settings=settings,
            lake=Lake(settings.lake),
            workers=Workers(settings.worker_slots, settings.job_cpu_limit_s),
            state=State(bus),
            clock=clock,
        )
        self.services: list[Service] = [build(kit) for build in builds]
        self._undelivered = Undelivered(bus, kit.clock)
        self.schedules = Schedules(settings, bus, kit.state, clock) if settings.schedules else None
        self._servers: list[HttpServer] = []
        self._page: HttpServer | None = None
        if settings.ops_port is not None:
            self._servers.append(HttpServer(ops_app(self.ready), settings.ops_host, settings.ops_port, "CBI_OPS_PORT"))
        for service in self.services:
            if service.asgi is not None and settings.dashboard_port is not None:
                self._page = HttpServer(
                    service.asgi, settings.dashboard_host, settings.dashboard_port, "CBI_DASHBOARD_PORT"
                )
                self._servers.append(self._page)

    @property
    def page_port(self) -> int | None:
        """Port of the dashboard's page, None when it is not served."""
        return None if self._page is None else self._page.port

    def ready(self) -> dict[str, bool]:
        """Return for each service whether it is connected and takes messages."""
        return {service.name: service.ready for service in self.services}

    async def open(self) -> None:
        """Open the ports: a process that waits for the bus is alive, and says that it is not ready.

        Raises
        ------
        InfrastructureError
            When a port is taken.
        """
        for server in self._servers:
            await server.start()

    async def start(self) -> None:
        """Connect and take messages; the shared bus must be connected.

        Raises
        ------
        InfrastructureError, TransientError
            When the bus refuses or is gone again.
        """
        await asyncio.gather(*(service.bus.connect() for service in self.services))
        await self._undelivered.start()
        await asyncio.gather(*(service.start() for service in self.services))
        if self.schedules is not None:
            await self.schedules.start()

    async def stop(self) -> None:
        """Hand back what is in work, then disconnect and close the ports."""
        if self.schedules is not None:
            self.schedules.stop()
        await asyncio.gather(*(service.stop() for service in self.services))
        await self._undelivered.stop()
        for server in self._servers:
            await server.stop()
