"""Time and memory of the first run of a newcomer, of the same run again, and of one more day, on the real tables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.benchmark

CBI = str(Path(sys.executable).parent / "cbi")
WAREHOUSE = os.environ.get("REAL_WAREHOUSE", "../shared/data/warehouse")
Record = Callable[..., None]


def seconds(*arguments: str) -> float:
    start = time.perf_counter()
    subprocess.run([CBI, *arguments], check=True, capture_output=True)
    return time.perf_counter() - start


def run(lake: Path, report: Path, *arguments: str) -> tuple[float, dict[str, Any]]:
    taken = seconds("run", "--warehouse", WAREHOUSE, "--lake", str(lake), "--json", str(report), *arguments)
    return taken, json.loads(report.read_text())


@pytest.mark.timeout(1800)
def test_quick_profile_on_real_tables(tmp_path: Path, record: Record) -> None:
    day_before = ("--as-of", "2025-05-15")
    cold, first = run(tmp_path / "lake", tmp_path / "a.json", *day_before)
    record("quick, cold: wall", cold, "s", budget=180)
    record("quick, cold: peak PSS of the stack", first["peak_rss_mb"], "MB", budget=3072)
    record("quick, cold: fit CPU seconds", first["timings"]["fit_cpu_s"], "s")
    share = first["timings"]["fit_cpu_s"] / (cold * first["timings"]["cores"])
    record("quick, cold: share of the cores spent fitting", share, "")

    again, second = run(tmp_path / "lake", tmp_path / "b.json", *day_before)
    record("quick, same inputs again: wall", again, "s", budget=15)
    record("quick, again / cold", again / cold, "")
    assert {m["status"] for m in second["models"]} == {"cached"}
    assert second["timings"]["fit_cpu_s"] == 0
    assert second["forecasts"] == first["forecasts"]

    more, third = run(tmp_path / "lake", tmp_path / "c.json", "--as-of", "2025-05-16")
    record("quick, one more day: wall", more, "s")
    record("quick, one more day / cold", more / cold, "")
    assert third["timings"]["fit_cpu_s"] < first["timings"]["fit_cpu_s"]
