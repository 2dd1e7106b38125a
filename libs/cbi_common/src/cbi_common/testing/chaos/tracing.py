"""strace as the hand that disturbs single system calls of running processes: slow, or killed in the middle."""

from __future__ import annotations

import asyncio
import shutil
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process, create_subprocess_exec
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from cbi_common.core.errors import InfrastructureError, UsageError

_ATTACHED_S = 60.0
_DETACHED_S = 60.0
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


@dataclass
class Injection:
    """What has come of it.

    Attributes
    ----------
    attached : whether any process could be traced; one that is traced already cannot
    killed : set when a process was killed by it
    """

    attached: bool = False
    killed: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def injecting(pids: Sequence[int], calls: str, what: str) -> AsyncIterator[Injection]:
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
    Injection
        As it stands.
    """
    injection = Injection()
    tracer = await create_subprocess_exec(
        strace(),
        *("--follow-forks", "--trace=" + calls, f"--inject={calls}:{what}"),
        *(f"--attach={pid}" for pid in pids),
        stdin=DEVNULL,
        stdout=DEVNULL,
        stderr=PIPE,
        start_new_session=True,
    )
    begun = asyncio.Event()
    reading = asyncio.create_task(_read(tracer, begun, injection))
    try:
        await _wait(begun)
        yield injection
    finally:
        await _detach(tracer)
        await reading


async def _wait(begun: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(_ATTACHED_S):
            await begun.wait()
    except TimeoutError as error:
        raise InfrastructureError("does not attach", where="strace", hint="may this user trace?") from error


async def _read(tracer: Process, begun: asyncio.Event, injection: Injection) -> None:
    assert tracer.stderr is not None
    async for line in tracer.stderr:
        if b"attached" in line:
            injection.attached = True
            begun.set()
        if b"killed by SIGKILL" in line:
            injection.killed.set()
    begun.set()  # there was nothing that it could trace


async def _detach(tracer: Process) -> None:
    with suppress(ProcessLookupError):
        tracer.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(tracer.wait(), _DETACHED_S)
    except TimeoutError:
        tracer.kill()
        await tracer.wait()
