"""Processes that die or stand still."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from cbi_common.testing.chaos.proxy import Publish
from cbi_common.testing.chaos.scenario import Fault
from cbi_common.testing.chaos.stage import Stage

_PATIENCE_S = 5.0


@asynccontextmanager
async def kill(stage: Stage, fault: Fault, _publish: Publish) -> AsyncIterator[None]:
    """SIGKILL a service, its nursery or a job."""
    pid = await _find(stage, fault)
    if pid is not None:
        _send(pid, signal.SIGKILL)
    yield


@asynccontextmanager
async def pause(stage: Stage, fault: Fault, _publish: Publish) -> AsyncIterator[None]:
    """SIGSTOP, and SIGCONT when it is over."""
    pid = await _find(stage, fault)
    if pid is not None:
        _send(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        if pid is not None:
            _send(pid, signal.SIGCONT)


@asynccontextmanager
async def bus_kill(stage: Stage, _fault: Fault, _publish: Publish) -> AsyncIterator[None]:
    """SIGKILL the nats-server; its supervisor starts another on the same store."""
    stage.crew.signal("bus", signal.SIGKILL)
    yield


@asynccontextmanager
async def bus_restart(stage: Stage, _fault: Fault, _publish: Publish) -> AsyncIterator[None]:
    """Tell the nats-server to end in good order; its supervisor starts another."""
    stage.crew.signal("bus", signal.SIGTERM)
    yield


async def _find(stage: Stage, fault: Fault) -> int | None:
    what, _, service = fault.target.rpartition(":")
    if what:
        pid = await stage.crew.descendant(service, what, _PATIENCE_S)
    else:
        pid = stage.crew.pid(fault.target)
    if pid is None:
        stage.missed.append(f"{fault}: no such process")
    return pid


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
