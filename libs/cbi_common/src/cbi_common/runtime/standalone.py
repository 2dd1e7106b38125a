"""One service in its own process, against a bus that others run."""

from __future__ import annotations

import asyncio
import logging
import signal

from cbi_common.core.errors import InfrastructureError, TransientError
from cbi_common.runtime.bus import Bus
from cbi_common.runtime.host import Host
from cbi_common.runtime.service import Build, discover
from cbi_common.runtime.settings import Settings
from cbi_common.runtime.streams import DECLARER

_log = logging.getLogger(__name__)

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


async def run_service(name: str, settings: Settings) -> None:
    """Run an installed service; see `serve`."""
    await serve(name, discover([name])[name], settings)


async def serve(name: str, build: Build, settings: Settings) -> None:
    """Run a service until the process is told to stop; then hand back what is in work.

    Raises
    ------
    UsageError
        When the settings name no bus.
    InfrastructureError
        When the bus refuses, a port is taken, or the connection is lost for good.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, stop.set)
    bus = Bus(settings, f"{name}-state")
    host = Host(settings, bus, [build])
    try:
        await host.open()
        # With a user of its own a service may not change streams; the one that may is started beside it.
        declares = settings.nats_user != name or name == DECLARER
        if not await _connected(bus, stop, declares=declares):
            return
        await host.start()
        _log.info("%s is up", name)
        if not await _stopped(stop, [bus, *(service.bus for service in host.services)]):
            raise InfrastructureError("the bus closed the connection for good", where=name, hint="start it again")
    finally:
        await host.stop()
        await bus.close()
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


async def _connected(bus: Bus, stop: asyncio.Event, *, declares: bool) -> bool:
    """Wait for the bus; return whether it came before the order to stop."""
    connecting = asyncio.create_task(_connect(bus, declares=declares))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((connecting, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if stop.is_set() and not connecting.done():
        connecting.cancel()
        await asyncio.wait([connecting])
        return False
    await connecting
    return True


async def _stopped(stop: asyncio.Event, buses: list[Bus]) -> bool:
    """Wait; return True when told to stop and False when a connection is lost for good."""
    waiting = [asyncio.create_task(event.wait()) for event in (stop, *(bus.lost for bus in buses))]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    return stop.is_set()


async def _connect(bus: Bus, *, declares: bool) -> None:
    await bus.connect(timeout_s=None)
    while True:
        try:
            return await (bus.declare_streams() if declares else bus.require_streams())
        except TransientError as error:
            _log.warning("%s", error)
            await asyncio.sleep(1)
