"""Disks that are slow or full, and processes that die while they write."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from cbi_common.testing.chaos.proxy import Publish
from cbi_common.testing.chaos.scenario import Fault
from cbi_common.testing.chaos.stage import Stage
from cbi_common.testing.chaos.tracing import CALLS, injecting

_PIECES = (1 << 20, 1 << 12)
_BALLAST = ".ballast"


@asynccontextmanager
async def torn_write(stage: Stage, fault: Fault, _publish: Publish) -> AsyncIterator[asyncio.Event | None]:
    """Kill whichever process of a service comes to its nth fsync (the file is half there) or rename."""
    pids = [process.pid for process in stage.crew.tree(fault.target)]
    if not pids:
        stage.missed.append(f"{fault}: no such process")
        yield None
        return
    async with injecting(pids, CALLS[fault.how], f"signal=KILL:when={fault.amount:.0f}") as killed:
        yield killed
        if not killed.is_set():
            stage.missed.append(f"{fault}: nothing was written")


@asynccontextmanager
async def slow_disk(stage: Stage, fault: Fault, _publish: Publish) -> AsyncIterator[None]:
    """Let every fsync and rename of a service and its children take its time."""
    pids = [process.pid for process in stage.crew.tree(fault.target)]
    if not pids:
        stage.missed.append(f"{fault}: no such process")
        yield
        return
    async with injecting(pids, ",".join(CALLS.values()), f"delay_exit={fault.amount * 1000:.0f}ms"):
        yield


@asynccontextmanager
async def full_disk(stage: Stage, fault: Fault, _publish: Publish) -> AsyncIterator[None]:
    """Fill the file system of the lake or of the bus to the last byte."""
    ballast = getattr(stage.crew, "lake" if fault.target == "lake" else "store") / _BALLAST
    _fill(ballast)
    try:
        yield
    finally:
        ballast.unlink()


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        for piece in _PIECES:
            with suppress(OSError):
                while True:
                    os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), piece)
