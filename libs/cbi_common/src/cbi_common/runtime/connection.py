"""A connection to whatever bus there is: the one in the settings, a running stack's, or one for the moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cbi_common.runtime.bus import Bus
from cbi_common.runtime.lock import StackLock, occupied
from cbi_common.runtime.nats_server import NatsServer
from cbi_common.runtime.settings import Settings

_NAME = "cbi"
_PATIENCE_S = 10.0
_POLL_S = 0.1


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[Bus]:
    """Connect to the bus of ``settings``, else to the stack that runs on its lake, else to a server started for this.

    Yields
    ------
    Bus
        Connected, with all streams declared.

    Raises
    ------
    InfrastructureError
        When no bus can be reached, or another command holds the lake for too long.
    """
    if settings.nats_url is not None:
        async with _open(settings) as bus:
            yield bus
        return
    lock = StackLock(settings.stack_dir)
    running = await _running(lock, settings)
    if running is not None:
        async with _open(running) as bus:
            yield bus
        return
    server = NatsServer(settings.stack_dir)
    try:
        await server.start()
        async with _open(server.connected(settings)) as bus:
            yield bus
    finally:
        await server.stop()
        lock.release()


async def _running(lock: StackLock, settings: Settings) -> Settings | None:
    """Return the settings of the running stack, or None with the lock taken."""
    deadline = asyncio.get_running_loop().time() + _PATIENCE_S
    while not lock.try_acquire():
        address = lock.address()
        if address is not None:
            return settings.with_bus(address.url, address.user, address.password)
        if asyncio.get_running_loop().time() > deadline:
            raise occupied(lock, settings)
        await asyncio.sleep(_POLL_S)
    return None


@asynccontextmanager
async def _open(settings: Settings) -> AsyncIterator[Bus]:
    bus = Bus(settings, _NAME)
    try:
        await bus.connect()
        await bus.declare_streams()
        yield bus
    finally:
        await bus.close()
