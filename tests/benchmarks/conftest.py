"""Benchmarks measure and report; they fail only when a run fails, never because a machine was slow."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cbi_common.testing.standard import StandardRun
from cbi_common.testing.standard import standard_run as measured

Record = Callable[..., None]


@pytest.fixture(scope="session")
def record() -> Iterator[Record]:
    """Collect figures; print them and write them to ``var/bench/figures.json`` at the end."""
    figures: dict[str, dict[str, float | str]] = {}

    def add(name: str, value: float, unit: str, budget: float | None = None) -> None:
        figures[name] = {"value": round(value, 3), "unit": unit}
        if budget is not None:
            figures[name] |= {"budget": budget, "share_of_budget": round(value / budget, 3)}

    yield add
    target = Path("var/bench/figures.json")
    target.parent.mkdir(parents=True, exist_ok=True)
    machine = {"python": platform.python_version(), "machine": platform.machine(), "system": platform.system()}
    target.write_text(json.dumps({"machine": machine, "figures": figures}, indent=2) + "\n")
    print(f"\n{'figure':40} {'value':>10} {'unit':6} {'budget':>8} {'share':>6}")
    for name, figure in figures.items():
        budget, share = figure.get("budget", ""), figure.get("share_of_budget", "")
        print(f"{name:40} {figure['value']:>10} {figure['unit']:6} {budget:>8} {share:>6}")


@pytest.fixture(scope="session")
def standard_run(tmp_path_factory: pytest.TempPathFactory) -> StandardRun:
    """The whole catalogue on the real tables, cold and one more day; BENCH_LAKE keeps it for the next time.

    BENCH_PROFILE=quick compares a dozen cheap models in its place, in minutes.
    """
    kept = os.environ.get("BENCH_LAKE")
    lake = Path(kept) if kept else tmp_path_factory.mktemp("standard") / "lake"
    warehouse = os.environ.get("REAL_WAREHOUSE", "../shared/data/warehouse")
    return measured(warehouse, lake, os.environ.get("BENCH_PROFILE", "standard"))
