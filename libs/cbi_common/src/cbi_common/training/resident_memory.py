"""A limit on the memory of a job: what shares 16 GB with everything else must not take them all."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil

from cbi_common.core.errors import JobError

LIMIT_MB = 1536.0
_EVERY_S = 0.5


def end_job(error: JobError) -> None:
    """End a job with ``error`` at once, whatever its main thread computes: the hook of a child tells the parent."""
    sys.excepthook(JobError, error, None)


@contextmanager
def resident_limit(
    where: str,
    hint: str,
    *,
    limit_mb: float = LIMIT_MB,
    end: Callable[[JobError], None] = end_job,
    every_s: float = _EVERY_S,
) -> Iterator[None]:
    """Watch the resident memory of this process while the block runs.

    Parameters
    ----------
    where, hint : str
        Of the error: which service, and what would need less.
    limit_mb : float
    end : function of the error
        Called once, above the limit.
    every_s : float
    """
    done = threading.Event()

    def watch() -> None:
        process = psutil.Process()
        while not done.wait(every_s):
            used = process.memory_info().rss / 2**20
            if used > limit_mb:
                what = f"it took {used:,.0f} MB of memory, the limit is {limit_mb:,.0f}"
                end(JobError(what, where=where, hint=hint))
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
