"""Between one service and the bus: sees every publish, can hold, delay or lose it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from cbi_common.runtime.cancellation import end

Phase = str
Tap = Callable[[str, "Publish", Phase], Awaitable[bool]]

_LINE = 1 << 20
_CHUNK = 1 << 16
_ENDS = (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)


@dataclass(frozen=True)
class Publish:
    """One message on its way from a client to the bus."""

    subject: str
    payload: bytes

    @property
    def acknowledges(self) -> bool:
        """Whether it tells the bus that a message has been dealt with."""
        return self.subject.startswith("$JS.ACK.") and self.payload in (b"", b"+ACK")


class Proxy:
    """A port of its own for one service.

    Parameters
    ----------
    service : str
    bus_port : callable
        Returns the port of the bus.
    tap : Tap
        Called with the service, a publish and ``before`` or ``after``; False before it: the publish is lost.
    """

    def __init__(self, service: str, bus_port: Callable[[], int], tap: Tap) -> None:
        self.service = service
        self.port = 0
        self.delay_s = 0.0
        """How long each thing that the service says is on its way."""
        self.refuses = False
        self.swallows = False
        self._bus_port, self._tap = bus_port, tap
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=_LINE)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and every connection."""
        assert self._server is not None
        self._server.close()
        await self.hang_up()
        await self._server.wait_closed()

    async def hang_up(self) -> None:
        """Close every connection."""
        await end(list(self._open))

    def heal(self) -> None:
        """Carry everything again."""
        self.delay_s, self.refuses, self.swallows = 0.0, False, False

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            if not self.refuses:
                await self._carry(reader, writer)
        except asyncio.CancelledError:
            pass
        finally:
            self._open.discard(task)
            await _close(writer)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            bus_reader, bus_writer = await self._to_the_bus()
        except OSError:
            return
        ways = [
            asyncio.create_task(self._to_bus(reader, bus_writer)),
            asyncio.create_task(self._from_bus(bus_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            bus_writer.close()  # at once: the wait for the ways may be cancelled
            await end(ways)

    async def _to_the_bus(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        opening = asyncio.create_task(asyncio.open_connection("127.0.0.1", self._bus_port(), limit=_LINE))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            # A connection whose opening is cancelled would be nobody's.
            with suppress(OSError):
                await _close((await opening)[1])
            raise

    async def _to_bus(self, reader: asyncio.StreamReader, bus: asyncio.StreamWriter) -> None:
        with suppress(*_ENDS):
            while True:
                line = await reader.readuntil(b"\r\n")
                words = line.split()
                verb = words[0].upper() if words else b""
                if verb in (b"PUB", b"HPUB"):
                    body = await reader.readexactly(int(words[-1]) + 2)
                    headers = int(words[-2]) if verb == b"HPUB" else 0
                    await self._publish(bus, line + body, Publish(words[1].decode(), body[headers:-2]))
                else:
                    await self._say(bus, line)

    async def _publish(self, bus: asyncio.StreamWriter, raw: bytes, publish: Publish) -> None:
        if await self._tap(self.service, publish, "before"):
            await self._say(bus, raw)
            await self._tap(self.service, publish, "after")

    async def _say(self, bus: asyncio.StreamWriter, raw: bytes) -> None:
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        if not self.swallows:
            bus.write(raw)
            await bus.drain()

    async def _from_bus(self, bus: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(*_ENDS):
            while chunk := await bus.read(_CHUNK):
                if not self.swallows:
                    writer.write(chunk)
                    await writer.drain()


async def _close(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        writer.close()
        await writer.wait_closed()
