"""A replay lives through history, goes on where it was interrupted, and says what a run of that day says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from cbi_common.timeseries.calendar import session_date, session_number

pytestmark = [pytest.mark.e2e, pytest.mark.proof]

Cbi = Callable[..., subprocess.CompletedProcess[str]]

PRICES = "yahoo_finance_comprehensive.biofuel_components_canonical.parquet"
STEPS = 2


@pytest.fixture(scope="module")
def days(folder: Path) -> list[date]:
    """The last sessions of the folder, a week apart."""
    newest = session_number(max(pq.read_table(folder / PRICES, columns=["date"])["date"].to_pylist()))
    return [session_date(newest - 5 * (STEPS - 1 - step)) for step in range(STEPS)]


def arguments(folder: Path, days: list[date], lake: Path, report: Path) -> list[str]:
    span = ["--from", days[0].isoformat(), "--to", days[-1].isoformat()]
    return [
        "replay",
        *span,
        "--warehouse",
        str(folder),
        "--profile",
        "smoke",
        "--lake",
        str(lake),
        "--json",
        str(report),
    ]


def numbers(replayed: dict[str, Any]) -> list[dict[str, Any]]:
    """What a replay says, without what it cost."""
    return [{name: value for name, value in step.items() if name != "wall_s"} for step in replayed["steps"]]


@pytest.fixture(scope="module")
def replayed(folder: Path, days: list[date], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Report of a replay that was interrupted after its first step and went on."""
    home = tmp_path_factory.mktemp("replay")
    command = arguments(folder, days, home / "lake", home / "report.json")
    program = str(Path(sys.executable).parent / "cbi")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CBI_")}
    with subprocess.Popen([program, *command], stderr=subprocess.PIPE, text=True, env=environment) as first:
        assert first.stderr is not None
        for line in first.stderr:
            if f"1/{STEPS}" in line:
                first.send_signal(signal.SIGTERM)
    assert first.returncode != 0
    again = subprocess.run([program, *command], capture_output=True, text=True, check=False, env=environment)
    assert again.returncode == 0, again.stderr
    return json.loads((home / "report.json").read_text())  # type: ignore[no-any-return]


def test_every_step_has_a_forecast_of_its_day(replayed: dict[str, Any], days: list[date]) -> None:
    assert [step["as_of"] for step in replayed["steps"]] == [day.isoformat() for day in days]
    assert all("1w" in step["forecasts"] for step in replayed["steps"])
    assert replayed["steps"][0]["wall_s"] is None  # the start before this one made it
    assert replayed["simulated"] is False  # a folder: nobody can know what is in it
    (matured,) = (part for part in replayed["validations"]["issued"]["horizons"]["1w"] if part["by"] == "all")
    assert matured["metrics"]["n"] == STEPS - 1


def test_a_step_says_bit_for_bit_what_a_run_of_that_day_says(
    folder: Path, days: list[date], replayed: dict[str, Any], cbi: Cbi, tmp_path: Path
) -> None:
    last, refits = replayed["steps"][-1], tmp_path / "refits.json"
    refits.write_text(json.dumps(last["refits"]))
    report = tmp_path / "report.json"
    done = cbi(
        *("run", "--warehouse", str(folder), "--profile", "smoke", "--as-of", last["as_of"]),
        *("--refits", str(refits), "--lake", str(tmp_path / "lake"), "--json", str(report)),
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(report.read_text())
    assert found["run_id"] == last["run_id"]
    assert found["forecasts"] == last["forecasts"]
    # That run was no replay: no track record of hindsight gets into its lake.
    refused = cbi(*arguments(folder, days, tmp_path / "lake", report))
    assert refused.returncode == 2
    assert "passes that are not of this replay" in refused.stderr
