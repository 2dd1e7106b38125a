"""The embedded stack: one per lake, found by other processes, gone without a trace."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import httpx2 as httpx
import psutil
import pytest

from cbi_common.core.clock import system_clock
from cbi_common.core.errors import InfrastructureError, UsageError
from cbi_common.core.identity import derived_id
from cbi_common.events.base import Envelope, EventData
from cbi_common.runtime import connection
from cbi_common.runtime.connection import connect
from cbi_common.runtime.embedded import Stack
from cbi_common.runtime.journal import Journal
from cbi_common.runtime.memory import tree_mb
from cbi_common.runtime.settings import Settings
from cbi_common.testing.bench import Asked


def settings(folder: Path, **more: object) -> Settings:
    return Settings.load(lake=str(folder / "lake"), cores=1, **more)


def asked(text: str) -> Envelope[EventData]:
    return Envelope.first(Asked(text=text), source="test", now=system_clock(), event_id=derived_id(text, "test"))


def servers(folder: Path) -> list[psutil.Process]:
    config = str(folder / "lake" / ".stack" / "nats.conf")
    return [p for p in psutil.process_iter(["cmdline"]) if config in (p.info["cmdline"] or ())]


def test_others_find_the_stack_as_long_as_it_runs(tmp_path: Path) -> None:
    async def go() -> None:
        chosen = settings(tmp_path)
        file = chosen.stack_dir / "stack.json"
        async with Stack(chosen, services=()) as stack:
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            assert stat.S_IMODE((chosen.stack_dir / "nats.conf").stat().st_mode) == 0o600
            async with connect(chosen) as bus:
                await bus.publish(asked("through another connection"))
            assert len(await Journal(stack.bus).events()) == 1
            assert stack.peak_mb >= 0
        assert not file.exists()
        assert servers(tmp_path) == []
        async with connect(chosen) as bus:
            assert [e.data.text for e in await Journal(bus).events()] == ["through another connection"]
        assert servers(tmp_path) == []

    asyncio.run(go())


def test_a_second_stack_on_one_lake_says_who_is_there(tmp_path: Path) -> None:
    async def go() -> None:
        async with Stack(settings(tmp_path), services=()):
            with pytest.raises(InfrastructureError) as caught:
                async with Stack(settings(tmp_path), services=()):
                    pass
            assert caught.value.exit_code == 5
            line = caught.value.line()
            assert f"process {os.getpid()} is at work on it" in line
            assert "use another --lake" in line
            async with Stack(settings(tmp_path / "other"), services=()):
                pass

    asyncio.run(go())


def test_a_command_waits_for_another_that_holds_the_lake_and_then_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_PATIENCE_S", 0.3)

    async def go() -> None:
        async with connect(settings(tmp_path)):
            with pytest.raises(
                InfrastructureError, match="another cbi command is at work on it; try again in a moment"
            ):
                async with connect(settings(tmp_path)):
                    pass

    asyncio.run(go())


def test_a_killed_stack_leaves_nothing_behind_and_loses_nothing(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys\n"
        "from cbi_common.runtime.embedded import Stack\n"
        "from cbi_common.runtime.settings import Settings\n"
        "async def go():\n"
        "    async with Stack(Settings.load(lake=sys.argv[1]), services=()):\n"
        "        await asyncio.sleep(600)\n"
        "asyncio.run(go())\n"
    )
    chosen = settings(tmp_path)
    process = subprocess.Popen([sys.executable, "-c", program, chosen.lake])
    file = chosen.stack_dir / "stack.json"
    deadline = time.monotonic() + 30
    while not file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert json.loads(file.read_text())["pid"] == process.pid
    asyncio.run(_publish(chosen, "kept"))
    assert len(servers(tmp_path)) == 1
    process.kill()
    process.wait()

    async def go() -> None:
        async with Stack(chosen, services=()) as stack:
            assert [e.data.text for e in await Journal(stack.bus).events()] == ["kept"]
            assert len(servers(tmp_path)) == 1, "two servers on one store would destroy it"

    asyncio.run(go())
    assert servers(tmp_path) == []


async def _publish(chosen: Settings, text: str) -> None:
    async with connect(chosen) as bus:
        await bus.publish(asked(text))


def test_an_unknown_service_is_named_and_nothing_stays(tmp_path: Path) -> None:
    async def go() -> None:
        with pytest.raises(UsageError, match=r"no service 'ingets'; installed are: .*ingest"):
            async with Stack(settings(tmp_path), services=("ingets",)):
                pass

    asyncio.run(go())
    assert servers(tmp_path) == []


def test_metrics_and_health_are_served_on_the_loopback_only(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    async def go() -> None:
        async with Stack(settings(tmp_path, ops_port=port), services=()), httpx.AsyncClient() as http:
            base = f"http://127.0.0.1:{port}"
            assert (await http.get(f"{base}/health/live")).status_code == 200
            assert (await http.get(f"{base}/health/ready")).json() == {"ready": False, "services": {}}
            metrics = (await http.get(f"{base}/metrics")).text
            assert "cbi_handler_seconds" in metrics
            assert "process_resident_memory_bytes" in metrics

    asyncio.run(go())


def test_a_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        async def go() -> None:
            with pytest.raises(InfrastructureError) as caught:
                async with Stack(settings(tmp_path, ops_port=port), services=()):
                    pass
            assert caught.value.line().startswith(f"CBI_OPS_PORT: cannot listen on 127.0.0.1:{port}: ")

        asyncio.run(go())
    assert servers(tmp_path) == []


def test_a_lake_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")

    async def go() -> None:
        with pytest.raises(InfrastructureError, match=r"cannot write: .*; use another --lake DIR"):
            async with Stack(Settings.load(lake=str(tmp_path / "file" / "lake")), services=()):
                pass

    asyncio.run(go())


def test_memory_counts_the_whole_tree() -> None:
    before = tree_mb()
    ballast = "import sys, time; x = b'x' * (100 << 20); sys.stdout.write('!'); sys.stdout.flush(); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", ballast], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.read(1)
    grown = tree_mb() - before
    child.kill()
    child.communicate()
    assert 95 < grown < 180
