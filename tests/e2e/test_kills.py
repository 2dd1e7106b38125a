"""Killing services, training children or the bus at random moments ends in the same forecasts bit for bit."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from cbi_common.events.base import Envelope
from cbi_common.events.data import DataRequested
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.monitoring import AlertRaised
from cbi_common.runtime.journal import Journal
from cbi_common.testing.fleet import Fleet
from cbi_common.testing.loopback import SERVICES

pytestmark = [pytest.mark.e2e, pytest.mark.proof]

KILLS_IN_A_ROW = 3


async def forecast(fleet: Fleet, request_id: str, kills: random.Random | None) -> tuple[str, list[str]]:
    """Ask for a run and return its forecasts as JSON, and what was killed on the way."""
    journal = Journal(fleet.bus)
    after = await journal.position()
    request = DataRequested(market="zl", profile="smoke")
    await fleet.bus.publish(Envelope.first(request, source="test", now=datetime.now(UTC), event_id=request_id))
    killed: list[str] = []

    async def disturb(rng: random.Random) -> None:
        for _ in range(KILLS_IN_A_ROW):
            await asyncio.sleep(rng.uniform(1, 8))
            killed.append(fleet.disturb(rng))

    disturbing = asyncio.create_task(disturb(kills)) if kills else None
    async for event in journal.follow([ForecastReady.subject, AlertRaised.subject], after=after):
        if event.correlationid != request_id:
            continue
        assert not isinstance(event.data, AlertRaised), event.data
        if disturbing:
            disturbing.cancel()
            with suppress(asyncio.CancelledError):
                await disturbing
        return event.data.model_dump_json(), killed
    raise AssertionError("the journal ended")


async def same_forecasts(home: Path, warehouse: Path) -> list[list[str]]:
    everything: list[list[str]] = []
    async with Fleet(home, SERVICES, str(warehouse)) as fleet, asyncio.timeout(800):
        undisturbed, _ = await forecast(fleet, "undisturbed", None)
        for seed in (1, 2, 3):
            (home / "lake").rename(home / f"lake-before-{seed}")  # at once, whoever is still writing to it
            disturbed, killed = await forecast(fleet, f"disturbed-{seed}", random.Random(seed))
            assert disturbed == undisturbed, f"seed {seed}, killed {killed}"
            everything.append(killed)
    return everything


@pytest.mark.timeout(900)
def test_three_kills_in_a_row_change_no_bit(folder: Path, tmp_path: Path) -> None:
    killed = asyncio.run(same_forecasts(tmp_path, folder))
    assert sum(len(names) for names in killed) >= KILLS_IN_A_ROW  # runs that end early are killed less often


def start(folder: Path, lake: Path, report: Path | None = None) -> subprocess.Popen[bytes]:
    program = str(Path(sys.executable).parent / "cbi")
    command = [program, "run", "--warehouse", str(folder), "--profile", "smoke", "--lake", str(lake)]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CBI_")}
    with open(lake.parent / "said.txt", "ab") as said:
        return subprocess.Popen(
            command + (["--json", str(report)] if report else []),
            stdout=said,
            stderr=said,
            env={**clean, "CBI_TRACKING": "off"},  # tracking has tests of its own
            # A shell starts what stays in its background deaf to Ctrl-C, and children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )


def said(lake: Path) -> str:
    """What the runs on this lake have printed."""
    return (lake.parent / "said.txt").read_text()


def family(pid: int, wanted: str, patience_s: float = 60) -> list[psutil.Process]:
    """Descendants whose command line holds ``wanted``, as soon as there are any."""
    give_up = time.monotonic() + patience_s
    while time.monotonic() < give_up:
        found = []
        for process in psutil.Process(pid).children(recursive=True):
            with suppress(psutil.Error):
                if wanted in " ".join(process.cmdline()):
                    found.append(process)
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"no process with {wanted}")


@pytest.fixture(scope="module")
def undisturbed(passed: Any) -> dict[str, Any]:
    """Report of a run that nobody troubled."""
    return dict(passed.report)


def stop(run: subprocess.Popen[bytes], how: int) -> None:
    """Stop a run in the middle of its training; nothing that it started may outlive it."""
    assert family(run.pid, "cbi_common.runtime.child")
    relatives = psutil.Process(run.pid).children(recursive=True)
    run.send_signal(how)
    assert run.wait(20) != 0
    _, alive = psutil.wait_procs(relatives, timeout=10)
    assert alive == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_leaves_no_orphan(folder: Path, tmp_path: Path, how: int) -> None:
    stop(start(folder, tmp_path / "lake"), how)


def test_a_run_killed_without_warning_is_ended_by_the_next_one(
    folder: Path, tmp_path: Path, undisturbed: dict[str, Any]
) -> None:
    stop(start(folder, tmp_path / "lake"), signal.SIGKILL)
    again = start(folder, tmp_path / "lake", tmp_path / "report.json")
    assert again.wait(240) == 0, said(tmp_path / "lake")
    assert json.loads((tmp_path / "report.json").read_text())["forecasts"] == undisturbed["forecasts"]


def test_a_bus_that_dies_comes_back_and_the_run_goes_on(
    folder: Path, tmp_path: Path, undisturbed: dict[str, Any]
) -> None:
    run = start(folder, tmp_path / "lake", tmp_path / "report.json")
    family(run.pid, "cbi_common.runtime.child")
    for _ in range(2):
        family(run.pid, "nats-server --config")[0].kill()
        time.sleep(2)
    assert run.wait(240) == 0, said(tmp_path / "lake")
    assert json.loads((tmp_path / "report.json").read_text())["forecasts"] == undisturbed["forecasts"]


def test_two_runs_on_one_lake_the_second_is_told_why(folder: Path, tmp_path: Path) -> None:
    first = start(folder, tmp_path / "lake")
    family(first.pid, "nats-server --config")
    second = start(folder, tmp_path / "lake")
    assert second.wait(30) == 5
    assert f"process {first.pid} is at work on it" in said(tmp_path / "lake")
    first.send_signal(signal.SIGINT)
    first.wait(20)
