"""Three nats-servers that keep every message three times, on the loopback interface."""

from __future__ import annotations

import asyncio
import secrets
import socket
from asyncio.subprocess import DEVNULL, Process, create_subprocess_exec
from contextlib import ExitStack
from pathlib import Path

from cbi_common.runtime.nats_server import binary
from cbi_common.runtime.settings import Settings

_USER = "cbi"
_CONFIG = """\
listen: "127.0.0.1:{client}"
server_name: "{name}"
authorization {{ user: "{user}", password: "{password}" }}
jetstream {{ store_dir: "{folder}/{name}" }}
log_file: "{folder}/{name}.log"
cluster {{ name: "cbi", listen: "127.0.0.1:{route}", no_advertise: true, routes: [{routes}] }}
"""


class Cluster:
    """Servers by number; one that was killed can be started again on what it had stored.

    Parameters
    ----------
    folder : Path
    size : int
    """

    def __init__(self, folder: Path, size: int = 3) -> None:
        self._folder = folder.absolute()
        self._password = secrets.token_urlsafe(24)
        ports = _free_ports(2 * size)
        self._clients, self._routes = ports[:size], ports[size:]
        self._processes: dict[int, Process] = {}

    def connected(self, settings: Settings) -> Settings:
        """Return ``settings`` with the cluster as their bus."""
        urls = ",".join(f"nats://127.0.0.1:{port}" for port in self._clients)
        return settings.with_bus(urls, _USER, self._password)

    @property
    def pid(self) -> int | None:
        """Process id of the first server."""
        return self._processes[0].pid if 0 in self._processes else None

    async def start(self) -> None:
        """Start all servers that do not run."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for number in range(len(self._clients)):
            if number not in self._processes:
                await self.revive(number)

    async def revive(self, number: int) -> None:
        """Start one server."""
        name = f"n{number}"
        file = self._folder / f"{name}.conf"
        routes = ", ".join(f'"nats-route://127.0.0.1:{port}"' for port in self._routes)
        file.write_text(
            _CONFIG.format(
                client=self._clients[number], name=name, user=_USER, password=self._password,
                folder=self._folder, route=self._routes[number], routes=routes,
            )
        )  # fmt: skip
        self._processes[number] = await create_subprocess_exec(
            *(binary(), "--config", str(file)), stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL
        )

    async def kill(self, number: int) -> None:
        """End one server at once."""
        process = self._processes.pop(number)
        process.kill()
        await process.wait()

    async def stop(self) -> None:
        """End all servers."""
        await asyncio.gather(*(self.kill(number) for number in list(self._processes)))


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
