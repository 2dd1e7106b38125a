"""What one machine carries, as ratios to what a day asks of it (docs/scaling.md); figures are printed.

CPU seconds and bytes, which a busy machine does not change much; wall seconds only where nothing else tells.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from cbi_common.events.base import parse
from cbi_common.runtime.bus import Bus
from cbi_common.runtime.nats_server import NatsServer
from cbi_common.runtime.service import discover
from cbi_common.runtime.settings import Settings
from cbi_common.testing.story import START, Story, forecast_ready

pytestmark = pytest.mark.benchmark

CBI = str(Path(sys.executable).parent / "cbi")
DAILY_EVENTS = 1_000
"""More than a day of a market has: two passes of the whole catalogue, its explanations, alerts and mails."""
DAILY_JOBS = 140
EVENTS, BYTES = 400, 16_000


def say(**figures: float | str) -> None:
    print(json.dumps({name: round(v, 4) if isinstance(v, float) else v for name, v in figures.items()}))


@pytest.fixture(scope="module")
def passed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """One pass of profile smoke on a lake of its own, and its report."""
    home = tmp_path_factory.mktemp("capacity")
    report = home / "report.json"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CBI_")}
    ordered = ("--profile", "smoke", "--warehouse", "simulated?sessions=1500", "--lake", str(home / "lake"))
    line = [CBI, "run", *ordered, "--json", str(report)]
    subprocess.run(line, env=clean, check=True, capture_output=True, timeout=880)
    return home / "lake", json.loads(report.read_text())


@pytest.mark.timeout(900)
def test_jobs_of_a_core(passed: tuple[Path, dict[str, Any]]) -> None:
    _, report = passed
    timings = report["timings"]
    fitted = sum(model["refits"] or 0 for model in report["models"])
    say(jobs=len(report["models"]), refits=fitted, fit_cpu_s=timings["fit_cpu_s"], wall_s=timings["wall_s"])
    per_core = len(report["models"]) / timings["fit_cpu_s"]
    say(jobs_per_core_second=per_core, daily_jobs_share_of_one_core=DAILY_JOBS / per_core / 86_400)
    assert DAILY_JOBS / per_core < 86_400 / 10


def test_bytes_of_a_run(passed: tuple[Path, dict[str, Any]]) -> None:
    lake, report = passed
    sizes: dict[str, int] = {}
    for file in lake.rglob("*"):
        if file.is_file():
            part = file.relative_to(lake).parts[0]
            sizes[part] = sizes.get(part, 0) + file.stat().st_size
    stored, bus = sizes["cas"] + sizes["refs"], sizes.get(".stack", 0)
    say(lake_bytes=stored, bus_and_state_bytes=bus, bytes_per_model=stored / len(report["models"]))
    assert stored < 1_000 * bus  # events carry keys and not data, yet not for nothing
    assert bus < 200_000_000


def test_events_of_a_core(tmp_path: Path) -> None:
    event = Story().tell(forecast_ready())
    payload = event.to_json()
    before = time.process_time()
    for number in range(EVENTS):
        parse(payload, subject=event.type, stream="EVENTS", sequence=number, now=START)
    parsing = (time.process_time() - before) / EVENTS

    async def published() -> tuple[float, float]:
        server = NatsServer(tmp_path)
        await server.start()
        bus = Bus(server.connected(Settings.load()), "bench")
        try:
            await bus.connect()
            await bus.declare_streams()
            began, cpu = time.monotonic(), time.process_time()
            for number in range(EVENTS):
                await bus.send("alert.raised", b"x" * 1_000, message_id=f"e{number}")
            return (time.monotonic() - began) / EVENTS, (time.process_time() - cpu) / EVENTS
        finally:
            await bus.close()
            await server.stop()

    wall, cpu = asyncio.run(published())
    say(parse_ms=parsing * 1e3, bytes=len(payload), publish_wall_ms=wall * 1e3, publish_cpu_ms=cpu * 1e3)
    # A core spends less than a hundredth of the day on the events of a hundred markets.
    assert 100 * DAILY_EVENTS * (parsing * 10 + cpu) < 864
    assert DAILY_EVENTS * wall < 600


@pytest.mark.timeout(280)
def test_memory_of_a_service(tmp_path: Path) -> None:
    async def measured() -> dict[str, float]:
        server = NatsServer(tmp_path / "bus")
        await server.start()
        settings = server.connected(Settings.load())
        assert settings.nats_password is not None
        clean = {name: value for name, value in os.environ.items() if not name.startswith("CBI_")}
        env = clean | {
            "CBI_NATS_URL": settings.nats_url or "", "CBI_NATS_USER": settings.nats_user or "",
            "CBI_NATS_PASSWORD": settings.nats_password.get_secret_value(), "CBI_LAKE": str(tmp_path / "lake"),
            "CBI_TRACKING": "off",
        }  # fmt: skip
        found = {}
        try:
            for name in sorted(discover()):
                process = await asyncio.create_subprocess_exec(
                    *(CBI, "service", name), env=env, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
                )
                assert process.stderr is not None
                async with asyncio.timeout(120):
                    while b"is up" not in (line := await process.stderr.readline()):
                        assert line, f"{name} ended"
                found[name] = psutil.Process(process.pid).memory_full_info().uss / 2**20
                process.terminate()
                await process.communicate()
        finally:
            await server.stop()
        return found

    found = asyncio.run(measured())
    say(**{f"{name}_mb": value for name, value in found.items()})
    assert max(found.values()) < 5 * min(found.values())
    assert sum(found.values()) < 3_000
