"""The way between a service and the bus, and what the bus keeps for it."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from nats import errors as nats_errors

from cbi_common.core.errors import CbiError
from cbi_common.runtime.bus import unavailable
from cbi_common.runtime.streams import EVENTS, JOBS
from cbi_common.testing.chaos.proxy import Publish
from cbi_common.testing.chaos.scenario import Fault
from cbi_common.testing.chaos.stage import Stage

_log = logging.getLogger(__name__)

_PATIENCE_S = 120.0


@asynccontextmanager
async def link(stage: Stage, fault: Fault, _publish: Publish) -> AsyncIterator[None]:
    """Slow a line down, cut it, or let everything on it get lost while both ends believe in it."""
    proxy = stage.crew.proxies[fault.target]
    proxy.delay_s = fault.amount
    proxy.refuses = fault.how == "cut"
    proxy.swallows = fault.how == "silent"
    if fault.how == "cut":
        await proxy.hang_up()
    try:
        yield
    finally:
        proxy.heal()
        if fault.how == "silent":
            await proxy.hang_up()  # what was lost is lost: a line does not send it again


@asynccontextmanager
async def ack_wait(stage: Stage, fault: Fault, _publish: Publish) -> AsyncIterator[None]:
    """Let the bus wait for signs of life for less time than there is between two."""
    changed = await _wait_for(stage, fault.amount)
    if not changed:
        stage.missed.append(f"{fault}: the bus was away")
    try:
        yield
    finally:
        await _surely(lambda: _wait_for(stage, stage.crew.settings.ack_wait_s))


@asynccontextmanager
async def window(stage: Stage, fault: Fault, _publish: Publish) -> AsyncIterator[None]:
    """Let the bus forget at once what it has already, and kill a service that will say it again."""
    if not await _remember(stage, fault.amount):
        stage.missed.append(f"{fault}: the bus was away")
    stage.crew.signal(fault.target, signal.SIGKILL)
    try:
        yield
    finally:
        await _surely(lambda: _remember(stage, stage.crew.window_s))


async def _surely(change: Callable[[], Awaitable[bool]]) -> None:
    """Make a change, over an outage of the bus: a fault that is over must be over."""
    async with asyncio.timeout(_PATIENCE_S):
        while True:
            if await change():
                return
            await asyncio.sleep(0.2)


async def _wait_for(stage: Stage, seconds: float) -> bool:
    jetstream = stage.bus.jetstream
    try:
        for stream in (EVENTS, JOBS):
            with unavailable(stream):
                for consumer in await jetstream.consumers_info(stream):
                    consumer.config.ack_wait = seconds
                    await jetstream.add_consumer(stream, consumer.config)
    except (CbiError, nats_errors.Error) as error:
        _log.info("ack_wait: %s", error)
        return False
    return True


async def _remember(stage: Stage, seconds: float) -> bool:
    """Set how long the streams know a message again."""
    jetstream = stage.bus.jetstream
    try:
        for stream in (EVENTS, JOBS):
            with unavailable(stream):
                config = (await jetstream.stream_info(stream)).config
                config.duplicate_window = seconds
                await jetstream.update_stream(config)
    except CbiError as error:
        _log.info("window: %s", error)
        return False
    return True
