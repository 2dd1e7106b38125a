"""Clocks that jump."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cbi_common.testing.chaos.proxy import Publish
from cbi_common.testing.chaos.scenario import Fault
from cbi_common.testing.chaos.stage import Stage


@asynccontextmanager
async def clock(stage: Stage, fault: Fault, _publish: Publish) -> AsyncIterator[None]:
    """Set the clock of one service or of all, and set it right when it is over."""
    names = list(stage.crew.proxies) if fault.target == "all" else [fault.target]
    for name in names:
        stage.crew.set_clock(name, fault.amount)
    try:
        yield
    finally:
        for name in names:
            stage.crew.set_clock(name, 0)
