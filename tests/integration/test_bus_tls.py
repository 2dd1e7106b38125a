"""The bus over TLS: whom we trust is said by us, and nothing is told to anybody else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from cbi_common.core.errors import InfrastructureError, UsageError
from cbi_common.runtime.bus import Bus
from cbi_common.runtime.nats_server import NatsServer
from cbi_common.runtime.settings import Settings
from cbi_common.runtime.state import State

PASSWORD = "s3cret-of-the-bus"
LOGIN = f'authorization {{ user: "cbi", password: "{PASSWORD}" }}'


@dataclass(frozen=True)
class Papers:
    """An authority, and what it has signed, as files."""

    ca: str
    cert: str
    key: str


def papers(folder: Path, *names: str) -> Papers:
    folder.mkdir(parents=True)
    authority, ca = trustme.CA(), folder / "ca.pem"
    authority.cert_pem.write_to_path(ca)
    issued, key, cert = authority.issue_cert(*names), folder / "key.pem", folder / "cert.pem"
    issued.private_key_pem.write_to_path(key)
    for number, blob in enumerate(issued.cert_chain_pems):
        blob.write_to_path(cert, append=number > 0)
    return Papers(str(ca), str(cert), str(key))


def tls(own: Papers, *, verify: bool = False) -> str:
    return (
        f'{LOGIN}\ntls {{ cert_file: "{own.cert}", key_file: "{own.key}", ca_file: "{own.ca}", '
        f"verify: {str(verify).lower()}, timeout: 5 }}"
    )


def play(folder: Path, configuration: str, scene: Callable[[str], Awaitable[None]]) -> None:
    async def go() -> None:
        server = NatsServer(folder / "bus", configuration)
        await server.start()
        try:
            url = server.connected(Settings.load()).nats_url
            assert url is not None
            await scene(url)
        finally:
            await server.stop()

    asyncio.run(go())


def login(url: str, **settings: str) -> Settings:
    return Settings.load(nats_url=url, nats_user="cbi", nats_password=PASSWORD, **settings)


async def refused(settings: Settings) -> str:
    bus = Bus(settings, "test")
    with pytest.raises(InfrastructureError) as caught:
        await bus.connect(timeout_s=3)
    assert not bus.connected
    assert "\n" not in caught.value.line()
    assert PASSWORD not in caught.value.line()
    return caught.value.line()


def test_with_the_right_authority_all_goes_over_tls(tmp_path: Path) -> None:
    own = papers(tmp_path / "own", "127.0.0.1")

    async def scene(url: str) -> None:
        bus = Bus(login(url, nats_tls_ca=own.ca), "test")
        try:
            await bus.connect()
            await bus.declare_streams()
            assert bus.client._transport is not None
            assert bus.client._transport._io_writer.get_extra_info("cipher") is not None
            await State(bus).put("export.zl", b"1")
            assert await State(bus).keys("export.") == ["export.zl"]
        finally:
            await bus.close()

    play(tmp_path, tls(own), scene)


def test_another_authority_is_not_trusted(tmp_path: Path) -> None:
    own, other = papers(tmp_path / "own", "127.0.0.1"), papers(tmp_path / "other", "127.0.0.1")

    async def scene(url: str) -> None:
        assert "certificate" in await refused(login(url, nats_tls_ca=other.ca))

    play(tmp_path, tls(own), scene)


def test_a_certificate_of_another_host_is_not_taken(tmp_path: Path) -> None:
    own = papers(tmp_path / "own", "bus.example.org")

    async def scene(url: str) -> None:
        assert "certificate" in await refused(login(url, nats_tls_ca=own.ca))

    play(tmp_path, tls(own), scene)


def test_a_bus_without_tls_hears_no_password(tmp_path: Path) -> None:
    own = papers(tmp_path / "own", "127.0.0.1")

    async def listening() -> tuple[asyncio.Server, list[bytes]]:
        heard: list[bytes] = []

        async def pretend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b'INFO {"server_id":"x","version":"2.15.1","max_payload":1048576,"headers":true}\r\n')
            heard.append(await reader.read(4096))
            writer.close()

        return await asyncio.start_server(pretend, "127.0.0.1", 0), heard

    async def go() -> None:
        server, heard = await listening()
        async with server:
            port = server.sockets[0].getsockname()[1]
            said = await refused(login(f"nats://127.0.0.1:{port}", nats_tls_ca=own.ca))
            server.close()
            await server.wait_closed()
        assert "the server speaks no TLS" in said
        assert heard
        assert not any(b"CONNECT" in line or PASSWORD.encode() in line for line in heard)

    asyncio.run(go())


def test_a_bus_that_wants_tls_lets_nobody_in_without(tmp_path: Path) -> None:
    own = papers(tmp_path / "own", "127.0.0.1")

    async def scene(url: str) -> None:
        # Without an authority of ours those of the system count, which did not sign this.
        assert "certificate" in await refused(login(url))

    play(tmp_path, tls(own), scene)


def test_a_bus_may_ask_for_our_own_certificate(tmp_path: Path) -> None:
    own = papers(tmp_path / "own", "127.0.0.1")

    async def scene(url: str) -> None:
        bus = Bus(login(url, nats_tls_ca=own.ca, nats_tls_cert=own.cert, nats_tls_key=own.key), "test")
        try:
            await bus.connect()
            assert bus.connected
        finally:
            await bus.close()
        await refused(login(url, nats_tls_ca=own.ca))

    play(tmp_path, tls(own, verify=True), scene)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"nats_tls_ca": "missing.pem"}, "setting CBI_NATS_TLS_CA, missing.pem: cannot be read: No such file"),
        ({"nats_tls_ca": "{own.key}"}, "setting CBI_NATS_TLS_CA, .*cannot be read"),
        ({"nats_tls_ca": "{own.ca}", "nats_tls_cert": "{own.cert}", "nats_tls_key": "{own.ca}"}, "CBI_NATS_TLS_CERT"),
    ],
)
def test_a_file_that_is_none_is_named(tmp_path: Path, given: dict[str, str], said: str) -> None:
    own = papers(tmp_path / "own", "127.0.0.1")
    settings = login("nats://127.0.0.1:1", **{name: text.format(own=own) for name, text in given.items()})
    with pytest.raises(UsageError, match=said):
        Bus(settings, "test")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"nats_tls_cert": "c"}, "with its key only"),
        ({"nats_tls_cert": "c", "nats_tls_key": "k"}, "whom it would trust is not said"),
    ],
)
def test_half_an_identity_is_refused(given: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Settings.load(**given)
