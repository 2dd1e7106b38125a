"""`cbi run` on BigQuery, end to end: tables from there, results to there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cbi_common.testing.bigquery import Emulator
from cbi_common.testing.folders import write_simulated_folder

PROJECT = "whole-project"


@pytest.mark.e2e
def test_a_pass_reads_and_writes_bigquery(emulator: Emulator, tmp_path: Path) -> None:
    write_simulated_folder(tmp_path / "tables", sessions=1500, seed=5)
    emulator.load_folder(tmp_path / "tables", project=PROJECT)

    def cbi(*arguments: str) -> subprocess.CompletedProcess[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("CBI_")}
        environment = {**clean, **emulator.settings, "CBI_LAKE": str(tmp_path / "lake")}
        program = str(Path(sys.executable).parent / "cbi")
        return subprocess.run(
            [program, *arguments], env=environment, capture_output=True, text=True, timeout=240, check=False
        )

    where = ("--warehouse", f"bigquery://{PROJECT}")
    done = cbi("run", *where, "--profile", "smoke", "--json", str(tmp_path / "report.json"))
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    report: dict[str, Any] = json.loads((tmp_path / "report.json").read_text())
    assert report["warehouse"] == f"bigquery://{PROJECT}"
    assert len(report["forecasts"]) == 5
    assert not (tmp_path / "lake" / "results").exists()

    kept = cbi("results", "--json", "--results", f"bigquery://{PROJECT}")
    assert kept.returncode == 0, kept.stderr
    results = json.loads(kept.stdout)
    assert {row["horizon"]: row["point"] for row in results["forecasts"]} == {
        horizon: forecast["point"] for horizon, forecast in report["forecasts"].items()
    }
    assert {row["run_id"] for row in results["validations"] + results["promotions"]} == {report["run_id"]}
    assert len({row["event_id"] for rows in results.values() for row in rows}) == 4
