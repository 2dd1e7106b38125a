"""A peer runs in its own environment, is asked once for one problem, and its failure is nobody's secret."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from cbi_common.core.horizon import Horizon
from cbi_common.testing import peers
from cbi_common.testing.contest import Course, Forecasts
from cbi_common.testing.peers import Peer, ask
from cbi_common.timeseries.dataset import Dataset

ANSWERS = """
import csv, json, sys
from pathlib import Path
place = Path(sys.argv[1])
asked = list(csv.DictReader((place / "cutoffs.csv").open()))
rows = [f"naive,{row['session']},{row['horizon']},{50 + int(row['session'])},," for row in asked]
(place / "forecasts.csv").write_text("\\n".join(["contender,session,horizon,forecast,lower,upper", *rows]))
(place / "made.json").write_text(json.dumps({"fits": len(rows), "versions": {"naive": "1"}}))
"""


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Course:
    for name in ("FOLDER", "ENVIRONMENT", "KEPT"):
        monkeypatch.setattr(peers, name, tmp_path / name.lower())
        (tmp_path / name.lower()).mkdir()
    for name in ("problem.py", "requirements.txt"):
        (tmp_path / "folder" / name).write_text("")
    sessions = np.arange(60)
    dates = np.datetime64("2020-01-01") + sessions
    panel = Dataset(sessions, dates, 50.0 + sessions, np.empty((60, 0)), ())
    cutoffs = np.arange(10, 50, 5)
    price = panel.price[cutoffs]
    return Course(panel, {Horizon.W1: Forecasts(cutoffs, price, price - 1, price + 1)}, step=5)


@pytest.fixture
def script(tmp_path: Path, course: Course) -> Path:
    (tmp_path / "environment" / "bin").mkdir()
    (tmp_path / "environment" / "bin" / "python").symlink_to(sys.executable)
    return tmp_path / "folder" / "naive.py"


def test_the_same_problem_is_asked_once(course: Course, script: Path) -> None:
    script.write_text(ANSWERS)
    first = ask(Peer("naive", 10), course)
    assert first.forecasts["naive"][Horizon.W1].forecast.tolist() == [60, 70, 80, 90]
    assert (first.cost.cutoffs, first.cost.fits, first.cost.versions) == (4, 4, {"naive": "1"})
    assert first.cost.cpu_s > 0
    script.write_text(ANSWERS + "# another program\n")
    again = ask(Peer("naive", 10), course)
    script.write_text(ANSWERS)
    assert ask(Peer("naive", 10), course).cost == first.cost
    assert again.cost != first.cost, "another program must be asked anew"
    assert ask(Peer("naive", 5), course).cost.cutoffs == 8, "other cutoffs must be asked for anew"


def test_a_failure_is_told_and_not_kept(course: Course, script: Path) -> None:
    script.write_text("raise SystemExit('no licence')")
    for _ in range(2):
        with pytest.raises(RuntimeError, match="status 1:\nno licence"):
            ask(Peer("naive", 10), course)


def test_without_its_environment_nothing_is_skipped(course: Course) -> None:
    with pytest.raises(FileNotFoundError, match="`make bench` creates it"):
        ask(Peer("naive", 10), course)
