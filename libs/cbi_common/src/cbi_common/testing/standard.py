"""A run of the whole catalogue, once for all benchmarks: cold, and one more day."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cbi_common.testing.page import NOTHING

CBI = str(Path(sys.executable).parent / "cbi")
DAY_BEFORE, DAY = "2025-05-15", "2025-05-16"


@dataclass(frozen=True)
class Pass:
    """One ``cbi run``: its report, and wall and CPU seconds of all its processes."""

    report: dict[str, Any]
    wall_s: float
    cpu_s: float


@dataclass(frozen=True)
class StandardRun:
    """The lake, the run on an empty lake and that of the day after; a smaller profile where only that is asked for."""

    lake: Path
    profile: str
    cold: Pass
    more: Pass

    @property
    def report(self) -> dict[str, Any]:
        """Report of the newest day."""
        return self.more.report

    @property
    def measured_cold(self) -> bool:
        """Whether the lake was empty: a run that found models there says nothing of what they cost."""
        return {model["status"] for model in self.cold.report["models"]} == {"trained"}

    def cost(self) -> tuple[str, ...]:
        """Row of a table of costs: name, cutoffs, fits, CPU and wall seconds, CPU seconds per cutoff."""
        cutoffs = max(model["n_cutoffs"] for model in self.cold.report["models"])
        fits = sum(model["refits"] for model in self.cold.report["models"])
        name = f"**this system**, profile {self.profile}, from an empty lake"
        if not self.measured_cold:
            return (name, f"{cutoffs:,}", f"{fits:,}", NOTHING, NOTHING, NOTHING)
        spent = (f"{self.cold.cpu_s:,.0f}", f"{self.cold.wall_s:,.0f}", f"{self.cold.cpu_s / cutoffs:.1f}")
        return (name, f"{cutoffs:,}", f"{fits:,}", *spent)


def standard_run(warehouse: str, lake: Path, profile: str = "standard") -> StandardRun:
    """Make both runs on ``lake``; what was measured on an empty one is kept beside it and not measured again."""
    return StandardRun(
        lake,
        profile,
        _pass(warehouse, lake, DAY_BEFORE, lake / f"bench-{profile}-cold.json", profile),
        _pass(warehouse, lake, DAY, lake / f"bench-{profile}-more.json", profile),
    )


def cbi_run(warehouse: str, lake: Path, as_of: str, report: Path, profile: str = "standard") -> Pass:
    """Run ``cbi run`` and return what it said and cost."""
    where = ("--warehouse", warehouse, "--lake", str(lake), "--json", str(report), "--as-of", as_of)
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {**os.environ, "CBI_TRACKING": "off"}
    subprocess.run([CBI, "run", "--profile", profile, *where], check=True, capture_output=True, env=environment)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Pass(json.loads(report.read_text()), wall, cpu)


def _pass(warehouse: str, lake: Path, as_of: str, kept: Path, profile: str) -> Pass:
    if kept.exists():
        return Pass(**json.loads(kept.read_text()))
    lake.mkdir(parents=True, exist_ok=True)
    made = cbi_run(warehouse, lake, as_of, lake / "report.json", profile)
    kept.write_text(json.dumps({"report": made.report, "wall_s": made.wall_s, "cpu_s": made.cpu_s}))
    return made
