"""What is printed carries the unit of the run's market."""

import json
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cbi_common.events.base import Envelope
from cbi_common.reporting.projection import Runs
from cbi_common.reporting.report import build_report
from cbi_common.reporting.tables import forecast_table
from cbi_common.runtime.cli import main
from cbi_common.runtime.commands import reading
from cbi_common.storage.lake import Lake
from cbi_common.testing.story import START, Story
from dashboard.domain.known import Known
from dashboard.handlers import create_api


def in_barrels(event: Envelope[Any]) -> Envelope[Any]:
    if event.type != "data.exported":
        return event
    return event.model_copy(update={"data": event.data.model_copy(update={"title": "Crude oil", "unit": "$/bbl"})})


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Runs:
    runs = Runs(map(in_barrels, Story().whole()))
    monkeypatch.setattr(reading, "read_runs", lambda _lake: runs)
    return runs


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (["forecast"], "Forecast in $/bbl"),
        (["explain"], "Why, in $/bbl"),
        (["explain", "1m"], "$/bbl ·"),
        (["leaderboard", "--horizon", "1m"], "MAE $/bbl"),
    ],
)
def test_tables_carry_the_unit_of_the_market(line, says, known, capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main(line) == 0
    told = capsys.readouterr().out
    assert says in told
    assert "¢" not in told


def test_json_names_the_unit_once(known, capsys) -> None:
    assert main(["forecast", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["unit"] == "$/bbl"


def test_the_page_is_headed_with_the_market_and_its_unit(known) -> None:
    served = TestClient(create_api(Known(known), lambda: START, Lake("memory://units")))
    text = served.get("/").text
    assert "<h1>Crude oil, $/bbl</h1>" in text
    assert "$/bbl" in served.get("/why").text
    for path in ("/", "/why", "/regime", "/track", "/decisions", "/models", "/data", "/runs"):
        text = served.get(path).text
        assert "oybean" not in text
        assert "¢" not in text
    origin = served.get("/api/predictions").json()["origin"]
    assert (origin["title"], origin["unit"]) == ("Crude oil", "$/bbl")


def test_a_run_that_never_named_its_unit_shows_none() -> None:
    events = [e.model_copy(update={"data": e.data.model_copy(update={"unit": ""})}) if e.type == "data.exported" else e
              for e in Story().whole()]  # fmt: skip
    report = build_report(Runs(events).all()[0])
    assert report.unit is None
    assert forecast_table(report).title.startswith("Forecast in – ·")


def test_no_service_assumes_soybean_oil() -> None:
    """Units and names of one market stand in market files, the simulated market, and the formulas of the bean crush."""
    root = Path(__file__).parents[3]
    code = [f for part in ("libs", "services") for kind in ("*.py", "*.html") for f in (root / part).rglob(kind)]
    own = ("markets/", "testing/", "ingest/domain/kinds", "timeseries/bands.py", "events/data.py")
    assuming = {
        str(f.relative_to(root)) for f in code if not any(part in f.as_posix() for part in own) and "¢" in f.read_text()
    }
    assert len(code) > 100
    assert assuming == set()
