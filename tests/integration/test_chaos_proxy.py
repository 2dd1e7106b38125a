"""The line between a client and a real bus: carries everything, shows publishes, holds, cuts and loses them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import nats.errors
from nats.aio.client import Client

from cbi_common.runtime.nats_server import NatsServer
from cbi_common.runtime.settings import Settings
from cbi_common.testing.chaos.proxy import Phase, Proxy, Publish


class Line:
    """A proxy before a bus, and what it has shown."""

    def __init__(self) -> None:
        self.shown: list[tuple[str, str, bytes]] = []
        self.lets: Callable[[Publish], bool] = lambda _publish: True

    async def tap(self, _service: str, publish: Publish, phase: Phase) -> bool:
        self.shown.append((phase, publish.subject, publish.payload))
        return self.lets(publish)


def play(folder: Path, scene: Callable[[Line, Proxy, Client], Awaitable[None]]) -> None:
    async def go() -> None:
        server, line = NatsServer(folder), Line()
        await server.start()
        settings = server.connected(Settings())
        assert settings.nats_url is not None
        port = int(settings.nats_url.rpartition(":")[2])
        proxy, client = Proxy("me", lambda: port, line.tap), Client()
        await proxy.start()
        try:
            await client.connect(
                f"nats://127.0.0.1:{proxy.port}",
                user=settings.nats_user,
                password=settings.nats_login,
                reconnect_time_wait=0.05,  # type: ignore[arg-type]
                max_reconnect_attempts=-1,
                error_cb=_quietly,
            )
            await scene(line, proxy, client)
        finally:
            await client.close()
            await proxy.stop()
            await server.stop()

    asyncio.run(asyncio.wait_for(go(), 60))


async def _quietly(_error: Exception) -> None:
    pass


async def answered(client: Client, patience_s: float) -> bool:
    """Whether the bus answers on this line in time."""
    try:
        await client.flush(timeout=patience_s)  # type: ignore[arg-type]
    except (nats.errors.Error, OSError):
        return False
    return True


def test_publishes_with_and_without_headers_are_shown_and_arrive(tmp_path: Path) -> None:
    async def scene(line: Line, _proxy: Proxy, client: Client) -> None:
        heard = await client.subscribe("a")
        big = b"x" * 300_000 + b"\r\nPUB b 1\r\n"
        await client.publish("a", b"plain")
        await client.publish("a", big, headers={"Nats-Msg-Id": "1"})
        assert [(await heard.next_msg(5)).data for _ in range(2)] == [b"plain", big]
        assert line.shown == [
            ("before", "a", b"plain"),
            ("after", "a", b"plain"),
            ("before", "a", big),
            ("after", "a", big),
        ]

    play(tmp_path, scene)


def test_what_is_kept_from_the_bus_never_arrives(tmp_path: Path) -> None:
    async def scene(line: Line, _proxy: Proxy, client: Client) -> None:
        heard = await client.subscribe("a")
        line.lets = lambda publish: publish.payload != b"lost"
        await client.publish("a", b"lost")
        await client.publish("a", b"kept")
        assert (await heard.next_msg(5)).data == b"kept"

    play(tmp_path, scene)


async def greeting(proxy: Proxy) -> bytes:
    """What one hears first on the line; nothing where it is cut."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        return await asyncio.wait_for(reader.readline(), 10)
    except ConnectionError:
        return b""
    finally:
        writer.close()


def test_a_cut_line_refuses_until_it_is_healed(tmp_path: Path) -> None:
    async def scene(_line: Line, proxy: Proxy, client: Client) -> None:
        assert (await greeting(proxy)).startswith(b"INFO")
        await client.close()
        proxy.refuses = True
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        await proxy.hang_up()
        assert await reader.read() == b""
        writer.close()
        assert await greeting(proxy) == b""
        proxy.heal()
        assert (await greeting(proxy)).startswith(b"INFO")

    play(tmp_path, scene)


def test_a_silent_line_stays_open_and_loses_everything(tmp_path: Path) -> None:
    async def scene(line: Line, proxy: Proxy, client: Client) -> None:
        heard = await client.subscribe("a")
        await client.flush()
        proxy.swallows = True
        await client.publish("a", b"lost")
        assert not await answered(client, 0.5)
        assert client.is_connected
        proxy.heal()
        await client.publish("a", b"kept")
        assert (await heard.next_msg(5)).data == b"kept"
        assert [payload for phase, _, payload in line.shown if phase == "before"] == [b"lost", b"kept"]

    play(tmp_path, scene)


def test_a_late_line_takes_its_time(tmp_path: Path) -> None:
    async def scene(_line: Line, proxy: Proxy, client: Client) -> None:
        proxy.delay_s = 0.6
        begun = asyncio.get_running_loop().time()
        await client.flush(timeout=5)
        assert asyncio.get_running_loop().time() - begun >= 0.6

    play(tmp_path, scene)
