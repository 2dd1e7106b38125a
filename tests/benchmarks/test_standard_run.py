"""Time and memory of the whole catalogue on the real tables: cold, the same again, one more day; and where it went."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cbi_common.testing.page import number, table, write_section
from cbi_common.testing.standard import DAY_BEFORE, StandardRun, cbi_run

pytestmark = [pytest.mark.benchmark, pytest.mark.real_data, pytest.mark.timeout(7200)]

WAREHOUSE = os.environ.get("REAL_WAREHOUSE", "../shared/data/warehouse")
Record = Callable[..., None]


def test_standard_profile_on_real_tables(standard_run: StandardRun, tmp_path: Path, record: Record) -> None:
    cold, first = standard_run.cold.wall_s, standard_run.cold.report
    assert standard_run.profile == "standard"
    assert standard_run.measured_cold
    record("standard, cold: wall", cold, "s", budget=1500)
    record("standard, cold: models (yardsticks and further volatility horizons too)", len(first["models"]), "")
    record("standard, cold: peak PSS of the stack", first["peak_rss_mb"], "MB", budget=5120)
    record("standard: largest job", max(model["peak_mb"] for model in first["models"]), "MB", budget=1536)
    fits = first["timings"]["fit_cpu_s"]
    record("standard, cold: fit CPU seconds", fits, "s")
    record(
        "standard, cold: share of the cores not spent fitting", 1 - fits / (cold * first["timings"]["cores"]), "", 0.15
    )
    record("standard: ensemble and bands of five horizons", first["timings"]["stages"]["ensemble"], "s", budget=20)

    again = cbi_run(WAREHOUSE, standard_run.lake, DAY_BEFORE, tmp_path / "b.json")
    record("standard, same inputs again: wall", again.wall_s, "s", budget=20)
    assert again.report["timings"]["fit_cpu_s"] == 0
    assert again.report["forecasts"] == first["forecasts"]

    more = standard_run.more
    record("standard, one more day: wall", more.wall_s, "s", budget=120)
    record("standard, one more day / cold", more.wall_s / cold, "")
    assert more.report["timings"]["fit_cpu_s"] < fits


def test_where_the_time_goes(standard_run: StandardRun, record: Record) -> None:
    """Each stage beside its floor: what the libraries' own fits take, over the cores that may work on them."""
    assert standard_run.measured_cold
    report, cores = standard_run.cold.report, standard_run.cold.report["timings"]["cores"]
    by_device: dict[str, float] = {}
    for model in report["models"]:
        by_device[model["device"]] = by_device.get(model["device"], 0.0) + model["fit_seconds"]
    fits = sum(by_device.values())
    floors = {"training": max(fits / cores, by_device.get("metal", 0.0))}
    rows = []
    for stage, taken in report["timings"]["stages"].items():
        floor = floors.get(stage)
        rows.append((stage, f"{taken:.0f}", number(floor, 0), number(taken / floor if floor else None, 2)))
    wall = standard_run.cold.wall_s
    rows.append(("the whole run", f"{wall:.0f}", number(fits / cores, 0), number(wall * cores / fits, 2)))
    write_section("stages", table(("stage", "wall s", "floor s", "times its floor"), rows))
    overhead = 1 - fits / standard_run.cold.cpu_s
    record("standard, cold: share of the CPU seconds that are not fits", overhead, "")
    for device, seconds in by_device.items():
        record(f"standard, cold: fits on {device}", seconds, "s")
