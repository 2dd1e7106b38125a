"""Disks that are slow or full, and processes that die while they write."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cbi_common.testing.chaos.proxy import Publish
from cbi_common.testing.chaos.scenario import Fault
from cbi_common.testing.chaos.stage import Stage
from cbi_common.testing.chaos.tracing import CALLS, injecting
from cbi_common.testing.small_disk import fill


@asynccontextmanager
async def torn_write(stage: Stage, fault: Fault, _publish: Publish) -> AsyncIterator[asyncio.Event | None]:
    """Kill whichever process of a service comes to its nth fsync (the file is half there) or rename."""
    pids = [process.pid for process in stage.crew.tree(fault.target)]
    if not pids:
        stage.missed.append(f"{fault}: no such process")
        yield None
        return
    async with injecting(pids, CALLS[fault.how], f"signal=KILL:when={fault.amount:.0f}") as injection:
        yield injection.killed
        if not injection.killed.is_set():
            stage.missed.append(f"{fault}: {'nothing was written' if injection.attached else 'not attached'}")


@asynccontextmanager
async def slow_disk(stage: Stage, fault: Fault, _publish: Publish) -> AsyncIterator[None]:
    """Let every fsync and rename of a service and its children take its time."""
    pids = [process.pid for process in stage.crew.tree(fault.target)]
    if not pids:
        stage.missed.append(f"{fault}: no such process")
        yield
        return
    async with injecting(pids, ",".join(CALLS.values()), f"delay_exit={fault.amount * 1000:.0f}ms") as injection:
        if not injection.attached:
            stage.missed.append(f"{fault}: not attached")
        yield


@asynccontextmanager
async def full_disk(stage: Stage, fault: Fault, _publish: Publish) -> AsyncIterator[None]:
    """Fill the file system of the lake or of the bus to the last byte."""
    disk = stage.crew.lake if fault.target == "lake" else stage.crew.store
    # Each has a ballast of its own: two may be there at a time.
    with tempfile.NamedTemporaryFile(dir=disk, prefix=".ballast-") as ballast:
        fill(ballast.fileno())
        yield
