"""The playbook's lines of backup and restore, typed as they stand there: everything that was known is known again."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cbi_common.core.clock import system_clock
from cbi_common.core.horizon import Horizon
from cbi_common.events.base import Envelope, LakeRef
from cbi_common.events.promotion import GateReport, ModelPromoted
from cbi_common.runtime.bus import Bus
from cbi_common.runtime.commands.reading import on_the_bus
from cbi_common.runtime.settings import Settings
from cbi_common.runtime.state import State
from promoter.domain.champion import Champion, Serving, champion_key

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

PLAYBOOK = Path(__file__).parents[2] / "docs/playbook.md"
ASKED = (
    "forecast --json", "champion --simulated --json", "champion --simulated --history --json", "cover list --json",
    "gates --json", "status --json",
)  # fmt: skip


def lines() -> list[str]:
    """Return the commands of the section, in their order."""
    section = PLAYBOOK.read_text(encoding="utf-8").partition("## Backup and restore")[2].partition("\n## ")[0]
    return [line for block in re.findall(r"```\n(.*?)```", section, re.DOTALL) for line in block.splitlines()]


def typed(line: str, home: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CBI_")}
    environment |= {"PATH": f"{Path(sys.executable).parent}:{environment['PATH']}", "CBI_TRACKING": "off"}
    done = subprocess.run(["bash", "-c", line], cwd=home, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{line}: {done.stderr[-2000:]}"
    return done.stdout


def promoted(lake: Path) -> None:
    """Let the run's forecast serve, as far as the ledger and the pointer are concerned."""
    serving = Serving(
        run_id="r1", version="v-1", target="local", package=LakeRef(key="package/r1", sha256="ab" * 32, size_bytes=1),
        horizons=(Horizon.M1,), policy="relative", since=datetime(2025, 5, 17, tzinfo=UTC),
    )  # fmt: skip
    data = ModelPromoted(
        market="zl", run_id="r1", horizon=Horizon.M1, model_id="ensemble", target="local", policy="relative",
        report=GateReport(candidate="ensemble", policies={}), previous=None, version="v-1",
    )  # fmt: skip

    async def work(bus: Bus, _settings: Settings) -> None:
        await State(bus).put(champion_key("zl", True), Champion(now=serving).model_dump_json().encode())
        await bus.publish(Envelope.first(data, source="test", now=system_clock(), event_id="promoted-1"))

    on_the_bus(str(lake), work)


def answers(home: Path) -> dict[str, Any]:
    return {line: json.loads(typed(f"cbi {line}", home)) for line in ASKED}


def test_what_was_lost_is_back(passed: Any, folder: Path, tmp_path: Path) -> None:
    lake = tmp_path / "var" / "lake"
    shutil.copytree(passed.lake, lake, ignore=shutil.ignore_patterns("lock", "stack.json"))
    promoted(lake)
    typed("cbi cover need 600000", tmp_path)
    before = answers(tmp_path)
    assert before["champion --simulated --json"]["now"]["version"] == "v-1"
    assert "promoted-1" in [event["id"] for event in before["champion --simulated --history --json"]]

    backup, away, *back = lines()
    typed(backup, tmp_path)
    typed(away, tmp_path)
    shutil.rmtree(tmp_path / "var" / "lake-lost")
    assert not lake.exists()
    for line in back:
        typed(line, tmp_path)

    assert answers(tmp_path) == before
    nothing_is_fitted(tmp_path, folder, passed.report)
    shutil.rmtree(lake / ".stack")  # the bus is lost, the lake is not
    nothing_is_fitted(tmp_path, folder, passed.report)


def nothing_is_fitted(home: Path, tables: Path, before: dict[str, Any]) -> None:
    typed(f"cbi run --warehouse {tables} --profile smoke --json again.json", home)
    report = json.loads((home / "again.json").read_text())
    assert {model["status"] for model in report["models"]} == {"cached"}
    assert report["forecasts"] == before["forecasts"]
