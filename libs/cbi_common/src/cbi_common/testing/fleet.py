"""Every service in a process of its own, restarted when it dies: what a container platform would do, without one."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from asyncio.subprocess import DEVNULL, Process, create_subprocess_exec
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import psutil

from cbi_common.runtime.accounts import OPERATOR
from cbi_common.runtime.bus import Bus
from cbi_common.runtime.cancellation import unbroken
from cbi_common.runtime.nats_server import NatsServer
from cbi_common.runtime.settings import Settings
from cbi_common.testing.cluster import Cluster

_RESTART_S = 0.3
_CHILD = "cbi_common.runtime.child"


class Fleet:
    """One nats-server and one ``cbi service`` process per service; ``async with`` starts and ends them.

    Parameters
    ----------
    home : Path
        Folder for the lake, the bus store and the logs.
    services : tuple of str
    warehouse : str
    accounts : str, optional
        ``authorization`` of the bus, in which each service has its own name; ``passwords`` has everybody's password.
    nats : NatsServer or Cluster, optional
        The bus, if it is another; it is started and stopped with the fleet.
    """

    def __init__(
        self,
        home: Path,
        services: tuple[str, ...],
        warehouse: str,
        accounts: str | None = None,
        passwords: Mapping[str, str] | None = None,
        nats: NatsServer | Cluster | None = None,
    ) -> None:
        self._home = home
        self._services = services
        self._nats = nats or NatsServer(home / "bus", accounts)
        self._passwords = dict(passwords or {})
        self._settings = Settings.load(lake=str(home / "lake"), warehouse=warehouse, ack_wait_s=3)
        self._processes: dict[str, Process] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._bus: Bus | None = None

    @property
    def settings(self) -> Settings:
        """Settings with the fleet's bus in them, for one who may do everything."""
        return self._as(OPERATOR)

    def _as(self, user: str) -> Settings:
        connected = self._nats.connected(self._settings)
        if not self._passwords:
            return connected
        assert connected.nats_url is not None
        return self._settings.with_bus(connected.nats_url, user, self._passwords[user])

    @property
    def bus(self) -> Bus:
        """A connection for the test."""
        assert self._bus is not None
        return self._bus

    async def __aenter__(self) -> Fleet:
        self._home.mkdir(parents=True, exist_ok=True)
        await self._nats.start()
        self._bus = Bus(self.settings, "test")
        await self._bus.connect()
        await self._bus.declare_streams()
        self._keepers = [asyncio.create_task(self._keep(name)) for name in self._services]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        for process in self._processes.values():
            with suppress(ProcessLookupError):
                process.terminate()
        for process in self._processes.values():
            try:
                await asyncio.wait_for(process.wait(), 20)
            except TimeoutError:
                process.kill()
                await process.wait()
        await self.bus.close()
        await self._nats.stop()

    def disturb(self, rng: random.Random) -> str:
        """Kill one process, chosen at random among the bus, the services and what they are training; return which."""
        children = [
            process
            for service in self._processes.values()
            for process in _children(service.pid)
            if _CHILD in " ".join(_command(process))
        ]
        targets = {"nats-server": self._nats.pid} | {name: p.pid for name, p in self._processes.items()}
        targets |= {f"child {c.pid}": c.pid for c in children}
        kind = rng.choice(["nats", "service", "child" if children else "service"])
        names = {
            "nats": ["nats-server"],
            "service": list(self._processes),
            "child": [name for name in targets if name.startswith("child")],
        }[kind]
        name = rng.choice(sorted(names))
        pid = targets[name]
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return name

    async def _keep(self, name: str) -> None:
        while True:
            await unbroken(self._spawn(name))
            await self._processes[name].wait()
            await asyncio.sleep(_RESTART_S)

    async def _spawn(self, name: str) -> None:
        log = os.open(self._home / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            self._processes[name] = await create_subprocess_exec(
                *self._command(name),
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment(name),
            )
        finally:
            os.close(log)

    def _command(self, name: str) -> list[str]:
        return [str(Path(sys.executable).parent / "cbi"), "service", name]

    def _environment(self, name: str) -> dict[str, str]:
        settings = self._as(name)
        assert settings.nats_url is not None
        assert settings.nats_user is not None
        assert settings.nats_password is not None
        clean = {name: value for name, value in os.environ.items() if not name.startswith("CBI_")}
        return clean | {
            "CBI_NATS_URL": settings.nats_url,
            "CBI_NATS_USER": settings.nats_user,
            "CBI_NATS_PASSWORD": settings.nats_password.get_secret_value(),
            "CBI_LAKE": settings.lake,
            "CBI_WAREHOUSE": settings.warehouse,
            "CBI_ACK_WAIT_S": str(settings.ack_wait_s),
            "CBI_CORES": "2",
            "CBI_TRACKING": "off",
        }


def _children(pid: int) -> list[psutil.Process]:
    with suppress(psutil.Error):
        return psutil.Process(pid).children(recursive=True)
    return []


def _command(process: psutil.Process) -> list[str]:
    with suppress(psutil.Error):
        return process.cmdline()
    return []
