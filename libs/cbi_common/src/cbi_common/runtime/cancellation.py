"""Ending tasks for certain."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")

_AGAIN_S = 0.5


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and return when all have ended; what they raised is theirs and dropped.

    Once is not enough: on Python 3.11 ``asyncio.wait_for``, which the bus client is full of, loses a cancellation that
    arrives in the same moment as its result, and a loop around it would go on for ever.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        done, pending = await asyncio.wait(pending, timeout=_AGAIN_S)
        for task in done:
            if not task.cancelled():
                task.exception()


async def unbroken(work: Coroutine[Any, Any, T]) -> T:
    """Do something that must not end half done; cancelled, it is finished first, and then the cancellation goes on.

    A process whose start is cancelled would be nobody's: it has begun, and nobody has its handle.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        return task.result()
    if not task.cancelled():
        task.exception()  # looked at, so that nobody complains that it was not
    raise cancelled
