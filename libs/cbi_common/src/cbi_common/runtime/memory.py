"""Peak memory of a tree of processes."""

from __future__ import annotations

import asyncio
import sys
import time

import psutil

from cbi_common.runtime.cancellation import end

_EVERY_S = 0.5
_SHARE = 0.02
"""Of one core, that looking may take: the kernel walks every page of every process, 10 ms for each half gigabyte."""


class MemoryWatch:
    """Samples the memory of this process and its descendants every half second, less often where that costs much.

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
            held, spent_s = await asyncio.to_thread(_sample)
            self.peak_mb = max(self.peak_mb, held)
            await asyncio.sleep(max(_EVERY_S, spent_s / _SHARE))


def tree_mb(pid: int | None = None) -> float:
    """Return the memory in MiB that a process, this one without ``pid``, and its descendants hold right now."""
    own = psutil.Process(pid)
    return sum(_bytes(process) for process in (own, *own.children(recursive=True))) / 2**20


def _sample() -> tuple[float, float]:
    """Memory in MiB, and the CPU seconds that it took to find out."""
    start = time.thread_time()
    return tree_mb(), time.thread_time() - start


def _bytes(process: psutil.Process) -> int:
    try:
        memory = process.memory_full_info()
    except psutil.Error:  # it ended meanwhile
        return 0
    size: int = memory.pss if sys.platform == "linux" else memory.uss
    return size
