"""The bus as compose.yaml runs it: its passwords, its users' rights, and what it remembers of a sudden death."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from cbi_common.core.errors import CbiError, InfrastructureError
from cbi_common.runtime.accounts import users
from cbi_common.runtime.bus import Bus
from cbi_common.runtime.journal import Journal
from cbi_common.runtime.schemas import installed
from cbi_common.runtime.settings import Settings
from cbi_common.testing.compose import ROOT, docker, services_of
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
