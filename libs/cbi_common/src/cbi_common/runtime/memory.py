"""Peak memory of a tree of processes."""

from __future__ import annotations

import asyncio
import sys

import psutil

from cbi_common.runtime.cancellation import end

_EVERY_S = 0.5


class MemoryWatch:
    """Samples the memory of this process and its descendants every half second.

    Shared pages count once over the tree: summed proportional set size on Linux; macOS knows no such figure, there it
    is the memory that is each process's own.
    """

    def __init__(self) -> None:
        self.peak_mb = 0.0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start to sample."""
        self._task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Take a last sample and stop."""
        if self._task is not None:
            await end([self._task])
            self._task = None
            self.peak_mb = max(self.peak_mb, tree_mb())

    async def _watch(self) -> None:
        while True:
            self.peak_mb = max(self.peak_mb, await asyncio.to_thread(tree_mb))
            await asyncio.sleep(_EVERY_S)


def tree_mb() -> float:
    """Return the memory in MiB that this process and its descendants hold right now."""
    own = psutil.Process()
    return sum(_bytes(process) for process in (own, *own.children(recursive=True))) / 2**20


def _bytes(process: psutil.Process) -> int:
    try:
        memory = process.memory_full_info()
    except psutil.Error:  # it ended meanwhile
        return 0
    size: int = memory.pss if sys.platform == "linux" else memory.uss
    return size
