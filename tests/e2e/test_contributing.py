"""The walk-throughs of CONTRIBUTING, typed to the letter on a copy: a new model is ranked, a new market is forecast."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from textwrap import dedent

import pytest

from cbi_common.core.horizon import Horizon

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "libs/cbi_common/src/cbi_common"


def section(title: str) -> str:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    found = text.partition(f"## {title}\n")[2].partition("\n## ")[0]
    assert found, title
    return found


def block(text: str, language: str) -> str:
    (found,) = re.findall(rf"^ *```{language}\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    return dedent(found)


def typed(lines: str, home: Path, library: Path | None = None) -> list[str]:
    """Type the lines one by one and return what each printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CBI_")}
    environment |= {"PATH": f"{Path(sys.executable).parent}:{environment['PATH']}", "COLUMNS": "200"}
    environment |= {"CBI_TRACKING": "off"} | ({"PYTHONPATH": str(library)} if library else {})
    said = []
    for line in lines.splitlines():
        done = subprocess.run(
            ["bash", "-c", line], cwd=home, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}: {done.stderr[-2000:]}"
        said.append(done.stdout)
    return said


def test_a_new_model_stands_in_the_leaderboard(tmp_path: Path) -> None:
    walk = section("A new model")
    (named,) = re.findall(r"entry to `([^`]*models\.toml)`", walk)
    assert ROOT / named == LIBRARY / "catalogue" / "models.toml"
    shutil.copytree(LIBRARY, tmp_path / "lib" / "cbi_common", ignore=shutil.ignore_patterns("__pycache__"))
    entry = block(walk, "toml")
    with (tmp_path / "lib/cbi_common/catalogue/models.toml").open("a", encoding="utf-8") as catalogue:
        catalogue.write(f"\n{entry}")
    (new,) = tomllib.loads(entry)["model"]

    _, ranking, quarter = typed(block(walk, "bash"), tmp_path, tmp_path / "lib")

    (line,) = [row for row in ranking.splitlines() if row.split()[:1] == [new["id"]]]
    assert len(re.findall(r"[+-]\d+\.\d %", line)) == len(Horizon)
    assert "no_change" in ranking
    assert new["id"] in quarter


def test_a_new_market_has_a_forecast(tmp_path: Path) -> None:
    walk = section("A new market")
    (name,) = re.findall(r"Save it as `([^`]*)`", walk)
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).write_text(block(walk, "toml"), encoding="utf-8")

    judged, forecast, why = typed(block(walk, "bash"), tmp_path)

    assert "arch.sp500" in judged
    assert "Forecast in points · SP500" in forecast
    assert "¢" not in forecast
    assert "SIMULATED" not in forecast
    assert "technical" in why
    (told,) = typed("cbi forecast --json", tmp_path)
    assert list(json.loads(told)["forecasts"]) == [str(h) for h in Horizon]
