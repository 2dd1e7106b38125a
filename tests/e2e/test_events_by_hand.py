"""Events published by hand: a bare object retrains, a malformed one is kept with its reason."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.e2e

Cbi = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def stack(folder: Path, tmp_path: Path) -> Iterator[str]:
    """Lake of a stack that stays up."""
    lake = str(tmp_path / "lake")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CBI_")}
    with open(tmp_path / "said.txt", "wb") as said:
        program = [str(Path(sys.executable).parent / "cbi"), "up", "--lake", lake, "--port", "0"]
        up = subprocess.Popen(
            [*program, "--warehouse", str(folder)], stdout=said, stderr=said, env={**clean, "CBI_TRACKING": "off"}
        )
    give_up = time.monotonic() + 60
    while not (Path(lake) / ".stack" / "stack.json").exists():
        if up.poll() is not None or time.monotonic() > give_up:
            up.kill()
            up.wait()
            raise AssertionError((tmp_path / "said.txt").read_text())
        time.sleep(0.1)
    yield lake
    up.send_signal(signal.SIGTERM)
    assert up.wait(30) in (0, 130), (tmp_path / "said.txt").read_text()


def wait_for_runs(cbi: Cbi, lake: str, count: int) -> list[dict[str, Any]]:
    """Runs of this lake, once ``count`` of them are done."""
    give_up = time.monotonic() + 200
    while time.monotonic() < give_up:
        result = cbi("status", "--lake", lake, "--json")
        assert result.returncode == 0, result.stderr
        done = [run for run in json.loads(result.stdout)["runs"] if run["stage"] == "done"]
        if len(done) >= count:
            return done
        time.sleep(4)  # every look is a program that starts
    raise AssertionError(f"{count} runs were not done: {result.stdout}")


def test_a_bare_export_retrains_and_a_malformed_one_is_kept(cbi: Cbi, stack: str) -> None:
    asked = cbi("publish", "data.requested", "market=zl", "profile=smoke", "--lake", stack)
    assert asked.returncode == 0, asked.stderr
    (first,) = wait_for_runs(cbi, stack, 1)

    refused = cbi("publish", "data.exported", '{"market": 5}', "--lake", stack)
    assert refused.returncode == 2
    assert "market" in refused.stderr
    assert cbi("publish", "--raw", "data.exported", '{"market": 5}', "--lake", stack).returncode == 0
    assert cbi("publish", "data.exported", '{"market": "zl"}', "--lake", stack).returncode == 0

    runs = wait_for_runs(cbi, stack, 2)
    assert len({run["run_id"] for run in runs}) == 2  # a retrain is a run of its own: its manifest has one more refit
    second = next(run for run in runs if run["run_id"] != first["run_id"])
    board = cbi("leaderboard", "--lake", stack, "--run", second["run_id"], "--json")
    assert board.returncode == 0, board.stderr
    refitted = {m["model_id"]: m["status"] for m in json.loads(board.stdout)["models"]}
    assert set(refitted.values()) == {"trained"}

    dead = cbi("dead", "list", "--lake", stack, "--json")
    (letter,) = json.loads(dead.stdout)
    assert letter["subject"] == "data.exported"
    assert "market: Input should be a valid string" in letter["reason"]
