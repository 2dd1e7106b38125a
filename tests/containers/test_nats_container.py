"""The bus as compose.yaml runs it: its passwords, its users' rights, and what it remembers of a sudden death."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from cbi_common.core.errors import CbiError, InfrastructureError
from cbi_common.events.base import Envelope
from cbi_common.events.data import DataRequested
from cbi_common.runtime.accounts import users
from cbi_common.runtime.bus import Bus
from cbi_common.runtime.journal import Journal
from cbi_common.runtime.schemas import installed
from cbi_common.runtime.settings import Settings
from cbi_common.testing.compose import ROOT, docker, services_of, wait_for
from cbi_common.testing.small_disk import fill, small_disk
from cbi_common.testing.story import Story, forecast_ready

pytestmark = pytest.mark.containers

OWNER = f"{os.getuid()}:{os.getgid()}"


def make_passwords(home: Path, *words: str) -> str:
    environment = {**os.environ, "SECRETS": str(home / "secrets"), "OWN": str(home / "own"), "OWNER": OWNER}
    script = ROOT / "deploy" / "nats" / "passwords.py"
    return subprocess.run(
        [sys.executable, str(script), *words], env=environment, check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bus")
    for user in ("nats", "grafana", *users(installed())):
        (folder / "secrets" / user).mkdir(parents=True)
    (folder / "own" / "bus").mkdir(parents=True)
    make_passwords(folder)
    return folder


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[DockerContainer]:
    service = services_of()["nats"]
    container = (
        DockerContainer(service["image"], user=OWNER)
        .with_command(" ".join(service["command"]))
        .with_volume_mapping(str(home / "secrets" / "nats"), "/run/cbi", "ro")
        .with_volume_mapping(str(home / "own" / "bus"), "/data", "rw")
        .with_exposed_ports(4222)
        .waiting_for(LogMessageWaitStrategy("Server is ready").with_startup_timeout(60))
    )
    with container:
        yield container


def connected(server: DockerContainer, home: Path, user: str) -> Bus:
    url = f"nats://127.0.0.1:{server.get_exposed_port(4222)}"
    password = (home / "secrets" / user / "password").read_text()
    return Bus(Settings.load().with_bus(url, user, password), user, patience_s=5)


def test_passwords_are_made_once_and_only_their_owner_reads_them(home: Path) -> None:
    files = sorted((home / "secrets").glob("*/password"))
    before = {file: file.read_text() for file in files}
    assert len(set(before.values())) == len(files) == len(users(installed())) + 1
    assert {file.stat().st_mode & 0o777 for file in files} == {0o400}
    make_passwords(home)
    assert {file: file.read_text() for file in files} == before
    assert make_passwords(home, "show", "trainer-metal").strip() == before[home / "secrets/trainer-metal/password"]


def test_nobody_comes_in_with_a_wrong_password(server: DockerContainer, home: Path) -> None:
    async def go() -> None:
        good = connected(server, home, "regime")
        url = f"nats://127.0.0.1:{server.get_exposed_port(4222)}"
        bad = Bus(Settings.load().with_bus(url, "regime", "x" * 43), "regime")
        with pytest.raises(InfrastructureError):
            await bad.connect(timeout_s=10)
        await good.connect()
        await good.close()

    asyncio.run(go())


def test_what_was_acknowledged_outlives_a_sudden_death_and_each_says_only_what_is_its_own(
    server: DockerContainer, home: Path
) -> None:
    async def say() -> int:
        whole, one = connected(server, home, "operator"), connected(server, home, "regime")
        await whole.connect()
        await whole.declare_streams()
        await one.connect()
        forged = Story().tell(forecast_ready())
        with pytest.raises(CbiError):
            await one.publish(forged)
        for event in Story("true").whole():
            await whole.publish(event)
        kept = len(await Journal(whole).events())
        await one.close()
        await whole.close()
        return kept

    async def count() -> int:
        bus = connected(server, home, "operator")
        await bus.connect(timeout_s=30)
        kept = len(await Journal(bus).events())
        await bus.close()
        return kept

    kept = asyncio.run(say())
    assert kept == len(Story("true").whole())
    known = server.get_wrapped_container().id
    docker("kill", "--signal", "KILL", known)
    docker("start", known)
    assert asyncio.run(count()) == kept


def test_after_a_full_disk_it_goes_on_by_itself_once_there_is_room(home: Path, tmp_path: Path) -> None:
    service = services_of()["nats"]
    (kind, script) = service["healthcheck"]["test"]
    checked = {"test": [kind, script.replace("$$", "$")], "interval": 1_000_000_000, "timeout": 5_000_000_000}
    with small_disk(tmp_path / "disk") as disk:
        server = (
            DockerContainer(service["image"], user=OWNER)
            .with_command(" ".join(service["command"]))
            .with_volume_mapping(str(home / "secrets" / "nats"), "/run/cbi", "ro")
            .with_volume_mapping(str(disk), "/data", "rw")
            .with_exposed_ports(4222)
            .with_kwargs(healthcheck=checked, restart_policy={"Name": "unless-stopped"})
            .waiting_for(LogMessageWaitStrategy("Server is ready").with_startup_timeout(60))
        )
        with server:
            known = server.get_wrapped_container().id
            asyncio.run(say(server, home, "first"))
            with (disk / "ballast").open("wb") as ballast:
                fill(ballast.fileno())
            with pytest.raises(CbiError):  # what the last block of the stream has left is used up first
                asyncio.run(say(server, home, *(f"between-{i}" for i in range(200))))
            time.sleep(4)
            assert restarts(known) == 0, "without room it is left alone"
            (disk / "ballast").unlink()
            wait_for("restart", lambda: restarts(known), 60)
            kept = asyncio.run(say(server, home, "after"))
    assert (kept[0], kept[-1]) == ("first", "after")


def restarts(container: str) -> int:
    return int(docker("inspect", "--format", "{{.RestartCount}}", container))


async def say(server: DockerContainer, home: Path, *names: str) -> list[str]:
    """Publish an event under each name and return what the bus holds."""
    bus = connected(server, home, "operator")
    await bus.connect(timeout_s=60)
    try:
        await bus.declare_streams()
        for name in names:
            request = DataRequested(market="zl", reason="x" * 3000)
            await bus.publish(Envelope.first(request, source="test", now=datetime.now(UTC), event_id=name))
        return [event.id for event in await Journal(bus).events()]
    finally:
        await bus.close()
