"""strace as the hand that disturbs single system calls of running processes: slow, or killed in the middle."""

from __future__ import annotations

import asyncio
import shutil
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process, create_subprocess_exec
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from cbi_common.core.errors import InfrastructureError, UsageError

_ATTACHED_S = 10.0
_DETACHED_S = 10.0
CALLS = {"fsync": "fsync,fdatasync", "rename": "rename,renameat,renameat2"}


def strace() -> str:
    """Return the program.

    Raises
    ------
    UsageError
        When it is not installed.
    """
    found = shutil.which("strace")
    if found is None:
        raise UsageError("strace is not installed", where="faults slow_disk and torn_write", hint="apt-get install it")
    return found


@asynccontextmanager
async def injecting(pids: Sequence[int], calls: str, what: str) -> AsyncIterator[asyncio.Event]:
    """Disturb calls of processes and of all that they fork from now on.

    Parameters
    ----------
    pids : sequence of int
    calls : str
        System calls between commas.
    what : str
        As strace's ``--inject`` says it, such as ``delay_exit=200ms`` or ``signal=KILL:when=2``.

    Yields
    ------
    asyncio.Event
        Set when a process was killed by it.
    """
    killed = asyncio.Event()
    tracer = await create_subprocess_exec(
        strace(),
        *("--follow-forks", "--trace=" + calls, f"--inject={calls}:{what}"),
        *(f"--attach={pid}" for pid in pids),
        stdin=DEVNULL,
        stdout=DEVNULL,
        stderr=PIPE,
        start_new_session=True,
    )
    attached = asyncio.Event()
    reading = asyncio.create_task(_read(tracer, attached, killed))
    try:
        await _wait(attached)
        yield killed
    finally:
        await _detach(tracer)
        await reading


async def _wait(attached: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(_ATTACHED_S):
            await attached.wait()
    except TimeoutError as error:
        raise InfrastructureError("does not attach", where="strace", hint="may this user trace?") from error


async def _read(tracer: Process, attached: asyncio.Event, killed: asyncio.Event) -> None:
    assert tracer.stderr is not None
    async for line in tracer.stderr:
        if b"attached" in line:
            attached.set()
        if b"killed by SIGKILL" in line:
            killed.set()
    attached.set()  # whatever it was attached to has ended


async def _detach(tracer: Process) -> None:
    with suppress(ProcessLookupError):
        tracer.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(tracer.wait(), _DETACHED_S)
    except TimeoutError:
        tracer.kill()
        await tracer.wait()
