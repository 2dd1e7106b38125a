"""Children for the workers: forked from a warm process where that is safe, started anew elsewhere."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import weakref
from asyncio.subprocess import STDOUT, create_subprocess_exec
from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from typing import Any, NamedTuple, Protocol

from cbi_common.core.errors import InfrastructureError
from cbi_common.runtime import nursery as program

CAN_FORK = sys.platform == "linux"
"""macOS's own libraries do not survive a fork, and its sockets have no packets."""

_KILLED = -signal.SIGKILL
_START_S = 60


class Files(NamedTuple):
    """Descriptors that a child is given."""

    order: int
    answer: int
    lifeline: int
    spoken: int


class Child(Protocol):
    """A running child; it leads a process group."""

    @property
    def pid(self) -> int:
        """Its process id."""

    async def wait(self) -> int:
        """Wait for its end and return its exit status, negative when a signal ended it."""


async def spawn(name: str, files: Files, environment: Mapping[str, str]) -> Child:
    """Start a child in a new Python."""
    return await create_subprocess_exec(
        *(sys.executable, "-m", "cbi_common.runtime.child", str(files.order), str(files.answer), name),
        stdin=files.lifeline,
        stdout=files.spoken,
        stderr=STDOUT,
        env=dict(environment),
        pass_fds=(files.order, files.answer),
        start_new_session=True,
    )


class Forked:
    """A child that the nursery forked."""

    def __init__(self, pid: int, ended: asyncio.Future[int]) -> None:
        self.pid = pid
        self._ended = ended

    async def wait(self) -> int:
        """Wait for its end and return its exit status, negative when a signal ended it."""
        return await asyncio.shield(self._ended)


class Offspring:
    """Starts children; on Linux from a nursery, which is started with the first of them.

    Parameters
    ----------
    environment : mapping
        Variables that must be set before numerical libraries are loaded.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._nursery: _Nursery | None = None

    async def start(self, entry: str, name: str, files: Files, environment: Mapping[str, str]) -> Child:
        """Start a child.

        Parameters
        ----------
        entry : str
            Function of the job, ``module:function``.
        name : str
            What the process list calls it.
        files : Files
        environment : mapping
            Its environment.

        Raises
        ------
        OSError
            When the machine has no room for another process.
        """
        if not CAN_FORK:
            return await spawn(name, files, environment)
        if self._nursery is None or not self._nursery.usable:
            self._nursery = _Nursery({**os.environ, **self._environment})
        return await self._nursery.fork({"entry": entry, "name": name, "environment": dict(environment)}, files)


class _Nursery:
    """A nursery and the children that it has forked; one that dies takes none of them with it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._loop = asyncio.get_running_loop()
        own, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-m", program.__name__, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                env=dict(environment),
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        own.setblocking(False)
        self._channel = own
        self._numbers = count()
        self._asked: dict[int, asyncio.Future[int]] = {}
        self._ended: dict[int, asyncio.Future[int]] = {}
        self._loop.add_reader(own, _Reader(weakref.ref(self)))
        self._close = weakref.finalize(self, _close, own, process)

    @property
    def usable(self) -> bool:
        return self._close.alive and self._loop is asyncio.get_running_loop()

    async def fork(self, request: dict[str, Any], files: Files) -> Child:
        number = next(self._numbers)
        self._asked[number] = born = self._loop.create_future()
        packet = json.dumps({"number": number, **request}).encode()
        if len(packet) > program.PACKET_BYTES:
            raise InfrastructureError("the environment is too large", where=request["name"], hint="unset variables")
        try:
            socket.send_fds(self._channel, [packet], list(files))
            async with asyncio.timeout(_START_S):
                pid = await born
        except (BlockingIOError, BrokenPipeError, TimeoutError) as error:
            raise OSError(f"the process that forks children does not answer: {error}") from error
        finally:
            self._asked.pop(number, None)
        return Forked(pid, self._ended[pid])

    def read(self) -> None:
        try:
            packet = self._channel.recv(program.PACKET_BYTES)
        except BlockingIOError:
            return
        except OSError:
            packet = b""
        if not packet:
            self._lost()
            return
        told = json.loads(packet)
        if "number" in told:
            self._ended[told["pid"]] = self._loop.create_future()
            _settle(self._asked.get(told["number"]), told["pid"])
        else:
            _settle(self._ended.pop(told["pid"], None), told["status"])

    def _lost(self) -> None:
        """Take its children for killed: whoever waits for them kills their groups and starts again."""
        self._loop.remove_reader(self._channel)
        self._close()
        for future in self._asked.values():
            if not future.done():
                future.set_exception(OSError("the process that forks children died"))
        for future in self._ended.values():
            _settle(future, _KILLED)
        self._ended.clear()


class _Reader:
    """Callback of the loop that keeps no nursery alive."""

    def __init__(self, nursery: weakref.ref[_Nursery]) -> None:
        self._nursery = nursery

    def __call__(self) -> None:
        nursery = self._nursery()
        if nursery is not None:
            nursery.read()


def _settle(future: asyncio.Future[int] | None, value: int) -> None:
    if future is not None and not future.done():
        future.set_result(value)


def _close(channel: socket.socket, process: subprocess.Popen[bytes]) -> None:
    channel.close()
    with suppress(ProcessLookupError):
        process.kill()  # it waits for nothing but the channel; its children have lifelines of their own
    process.wait()
