"""The fleet under test: disks of its own that can be full, a line to the bus per service, clocks that can be set."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

import psutil

from cbi_common.core.errors import UsageError
from cbi_common.runtime.streams import EVENTS
from cbi_common.testing.chaos.proxy import Proxy, Tap
from cbi_common.testing.fleet import Fleet
from cbi_common.testing.loopback import SERVICES

DISKS = ("lake", "bus")
DEADLINE_S = 45
"""Of the provisional forecast: what waits for it is a message that nobody has lost."""

_DISK_MB = 128
_CHILDREN = {"child": "cbi_common.runtime.child", "nursery": "cbi_common.runtime.nursery"}
_POLL_S = 0.02


class Crew(Fleet):
    """`Fleet` that faults can be done to.

    Parameters
    ----------
    home : Path
        Folder for everything; its subfolders ``lake`` and ``bus`` become small file systems of their own.
    warehouse : str
    tap : Tap
        Sees what the services publish.
    disks : bool
        Whether disks can be full, which takes root to mount them.
    """

    def __init__(self, home: Path, warehouse: str, tap: Tap, *, disks: bool) -> None:
        super().__init__(home, SERVICES, warehouse)
        self.lake, self.store = home / "lake", home / "bus"
        self.proxies = {name: Proxy(name, self._bus_port, tap) for name in SERVICES}
        self.window_s = 0.0
        """How long the streams know a message again, when no fault is at work."""
        self._disks = disks
        self._clocks = {name: home / f"{name}.clock" for name in SERVICES}

    async def __aenter__(self) -> Crew:
        """Mount, listen, start."""
        for disk in DISKS:
            (self._home / disk).mkdir(parents=True)
            if self._disks:
                _mount(self._home / disk)
        for name in self._clocks:
            self.set_clock(name, 0)
        for proxy in self.proxies.values():
            await proxy.start()
        await super().__aenter__()
        self.window_s = (await self.bus.jetstream.stream_info(EVENTS)).config.duplicate_window or 0.0
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, and leave nothing mounted."""
        await super().__aexit__(kind, error, trace)
        for proxy in self.proxies.values():
            await proxy.stop()
        for disk in DISKS if self._disks else ():
            _unmount(self._home / disk)

    @property
    def logs(self) -> list[Path]:
        """What the processes have said."""
        return sorted([*self._home.glob("*.log"), *self.store.glob("*.log")])

    def pid(self, name: str) -> int | None:
        """Return the process id of a service or of the ``bus``, None while there is none."""
        if name == "bus":
            return self._nats.pid
        process = self._processes.get(name)
        return process.pid if process is not None and process.returncode is None else None

    async def descendant(self, service: str, what: str, patience_s: float) -> int | None:
        """Return the process id of a ``child`` or the ``nursery`` of a service, as soon as there is one."""
        give_up = asyncio.get_running_loop().time() + patience_s
        while asyncio.get_running_loop().time() < give_up:
            for process in self.tree(service):
                with suppress(psutil.Error):
                    if _CHILDREN[what] in " ".join(process.cmdline()):
                        return process.pid
            await asyncio.sleep(_POLL_S)
        return None

    def tree(self, service: str) -> list[psutil.Process]:
        """Return a service's process and all that descend from it."""
        pid = self.pid(service)
        with suppress(psutil.Error):
            if pid is not None:
                process = psutil.Process(pid)
                return [process, *process.children(recursive=True)]
        return []

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a service or the ``bus``, if it is there."""
        pid = self.pid(name)
        with suppress(ProcessLookupError):
            if pid is not None:
                os.kill(pid, number)

    def set_clock(self, service: str, ahead_s: float) -> None:
        """Set a service's clock so many seconds ahead of the true time."""
        new = self._clocks[service].with_suffix(".new")
        new.write_text(f"{ahead_s:.0f}", encoding="ascii")
        new.replace(self._clocks[service])

    def empty_lake(self, prepared: Path | None) -> None:
        """Take everything out of the lake, and put a copy of ``prepared`` in."""
        for path in self.lake.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if prepared is not None:
            shutil.copytree(prepared, self.lake, dirs_exist_ok=True)

    def _bus_port(self) -> int:
        return urlsplit(self.settings.nats_url or "").port or 0

    def _command(self, name: str) -> list[str]:
        return [sys.executable, "-m", "cbi_common.testing.chaos.service", name, str(self._clocks[name])]

    def _environment(self, name: str) -> dict[str, str]:
        return super()._environment(name) | {
            "CBI_NATS_URL": f"nats://127.0.0.1:{self.proxies[name].port}",
            "CBI_QUORUM_WAIT_S": str(DEADLINE_S),
            "CBI_FORECAST_DEADLINE_S": str(DEADLINE_S),
        }


def _mount(folder: Path) -> None:
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_DISK_MB}m,mode=700", "chaos", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise UsageError(f"cannot mount: {done.stderr.strip()}", where=f"{folder}", hint="be root, or leave it out")


def _unmount(folder: Path) -> None:
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
