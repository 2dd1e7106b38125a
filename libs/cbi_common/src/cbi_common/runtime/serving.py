"""HTTP beside the bus: an ASGI application in the process's own event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from cbi_common.core.errors import InfrastructureError


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say that it is up (or will not be)."""
        await super().startup(sockets=sockets)
        self.up.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the process."""
        yield


class HttpServer:
    """Serves one application on one address.

    Parameters
    ----------
    app : ASGI application
    host : str
    port : int
        0 takes a free one; `port` says which.
    what : str
        What an error calls it.
    """

    def __init__(self, app: Any, host: str, port: int, what: str) -> None:
        self._app = app
        self._host = host
        self.port = port
        self._what = what
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start to serve.

        Raises
        ------
        InfrastructureError
            When the address is taken.
        """
        listening = socket.socket(socket.AF_INET6 if ":" in self._host else socket.AF_INET)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((self._host, self.port))
        except OSError as error:
            listening.close()
            raise InfrastructureError(
                f"cannot listen on {self._host}:{self.port}: {error.strerror}",
                where=self._what,
                hint="choose another port or stop what uses this one",
            ) from error
        self.port = listening.getsockname()[1]
        config = uvicorn.Config(
            self._app, log_config=None, access_log=False, ws="none", lifespan="auto", timeout_graceful_shutdown=2
        )
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[listening]))
        await self._server.up.wait()
        if self._server.should_exit:
            raise InfrastructureError("its application does not start", where=self._what, hint="see the log")

    async def stop(self) -> None:
        """Stop serving."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await self._task
            self._server = self._task = None
