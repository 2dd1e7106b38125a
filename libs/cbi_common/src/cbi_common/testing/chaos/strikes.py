"""Carries out the faults of one scenario: each from its boundary on, for as long as it lasts."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from cbi_common.testing.chaos.faults import DOING
from cbi_common.testing.chaos.passes import Passes
from cbi_common.testing.chaos.proxy import Publish
from cbi_common.testing.chaos.scenario import Fault
from cbi_common.testing.chaos.stage import Stage

_KILLS = ("kill", "window")


class Strikes:
    """Called at each boundary."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._lasting: list[asyncio.Task[None]] = []

    async def __call__(self, fault: Fault, publish: Publish) -> bool:
        """Let a fault begin; return whether what triggered it still goes to the bus."""
        begun = asyncio.Event()
        lasting = asyncio.create_task(self._last(fault, publish, begun))
        self._lasting.append(lasting)
        beginning = asyncio.create_task(begun.wait())
        await asyncio.wait((lasting, beginning), return_when=asyncio.FIRST_COMPLETED)
        beginning.cancel()
        # Of a process that was killed at this boundary, nothing comes after it.
        return not (fault.kind in _KILLS and fault.target == fault.at.service and fault.at.moment != "after")

    async def over(self, passes: Passes, patience_s: float) -> dict[str, int]:
        """Wait until every fault is over and nothing is at work; return what still is when patience ends."""
        while True:
            stuck = await passes.quiet(patience_s)
            lasting = [task for task in self._lasting if not task.done()]
            if not lasting:
                break
            await asyncio.wait(lasting)
        for task in self._lasting:
            task.result()
        return stuck

    async def _last(self, fault: Fault, publish: Publish, begun: asyncio.Event) -> None:
        async with DOING[fault.kind](self._stage, fault, publish) as enough:
            begun.set()
            with suppress(TimeoutError):
                await asyncio.wait_for((enough or asyncio.Event()).wait(), fault.seconds)
