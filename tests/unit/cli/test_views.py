import json
from datetime import timedelta

import pytest

from cbi_common.core.errors import IncompleteError
from cbi_common.core.horizon import Horizon
from cbi_common.reporting.projection import Runs
from cbi_common.runtime.cli import main
from cbi_common.runtime.commands import overview, reading
from cbi_common.testing.story import POINTS, RUN_ID, START, Story, exported, forecast_ready

VIEWS = ["forecast", "leaderboard", "regime", "explain", "validate", "gates"]
PART = {
    "forecast": "forecasts", "leaderboard": "models", "regime": "regime", "explain": "explanations",
    "validate": "validation", "gates": "gates",
}  # fmt: skip


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Runs:
    runs = Runs(Story().whole(failed="dense"))
    monkeypatch.setattr(reading, "read_runs", lambda _lake: runs)
    return runs


def out(capsys: pytest.CaptureFixture[str], *line: str) -> str:
    assert main([*line]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_marks_simulated_data_and_names_the_run(view: str, known, capsys) -> None:
    told = out(capsys, view)
    assert "SIMULATED DATA" in told
    assert RUN_ID in told


def test_importance_is_told_run_by_run(known, capsys) -> None:
    told = out(capsys, "explain", "1m", "--over-runs")
    assert "run by run" in told
    found = json.loads(out(capsys, "explain", "1m", "--over-runs", "--json"))["importance"]
    assert [one["run_id"] for one in found] == [RUN_ID]


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_has_json_with_its_origin(view: str, known, capsys) -> None:
    found = json.loads(out(capsys, view, "--json"))
    assert (found["run_id"], found["simulated"], found["market"]) == (RUN_ID, True, "zl")
    assert found[PART[view]]


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_yet_is_one_line_that_names_the_command(view: str, tmp_path, capsys) -> None:
    with pytest.raises(SystemExit) as left:
        main([view, "--lake", str(tmp_path / "none")])
    assert left.value.code == 4
    assert capsys.readouterr().err == "cbi: nothing has run yet; `cbi run` makes a forecast\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("view", VIEWS)
def test_a_run_that_lacks_the_part_says_so(view: str, monkeypatch, capsys) -> None:
    runs = Runs(Story("abc").whole()[:2])
    monkeypatch.setattr(reading, "read_runs", lambda _lake: runs)
    with pytest.raises(SystemExit) as left:
        main([view, "--run", "abc"])
    assert left.value.code == 4
    assert "run abc: it has no" in capsys.readouterr().err


def test_the_forecast_table(known, capsys) -> None:
    told = out(capsys, "forecast")
    for horizon, point in POINTS.items():
        (line,) = [line for line in told.splitlines() if line.strip().startswith(f"{horizon} ")]
        assert f"{point:.2f}" in line
        assert f"{point - 4:.2f} … {point + 5:.2f}" in line


def test_one_horizon_of_the_leaderboard(known, capsys) -> None:
    found = json.loads(out(capsys, "leaderboard", "--horizon", "1m", "--json"))
    assert {m["horizon"] for m in found["models"]} == {"1m"}
    told = out(capsys, "leaderboard", "--horizon", "1m")
    assert "killed after 900 CPU seconds" in told
    assert "60 %" in told


def test_one_horizon_explained_with_its_drivers(known, capsys) -> None:
    told = out(capsys, "explain", "1m")
    assert "palm_ret_21" in told
    assert list(json.loads(out(capsys, "explain", "1m", "--json"))["explanations"]) == ["1m"]


def test_gates_of_one_policy(known, capsys) -> None:
    assert json.loads(out(capsys, "gates", "--policy", "plan", "--json"))["gates"]["1w"]["policies"].keys() == {"plan"}
    with pytest.raises(SystemExit) as left:
        main(["gates", "--policy", "nope"])
    assert left.value.code == 2


def test_the_latest_complete_run_is_chosen_and_another_by_prefix() -> None:
    older, newer = Story("old").whole(), Story("new", START + timedelta(hours=1)).whole()
    runs = Runs([*older, *newer[:5]])
    assert reading.choose_run(runs, None).correlation_id == "old"
    assert reading.choose_run(runs, "ne").correlation_id == "new"
    with pytest.raises(IncompleteError, match="the newest is at training"):
        reading.choose_run(Runs(newer[:5]), None)


def test_status_tells_stage_models_and_trouble() -> None:
    story = Story("xyz", START + timedelta(hours=1))
    incomplete = [story.request, story.tell(exported()), story.tell(forecast_ready(without=Horizon.M6))]
    rejected = Story("bad", START + timedelta(hours=2)).rejection()
    runs = Runs([*Story().whole(failed="dense"), *incomplete, *rejected]).all()
    found = overview.Overview(tuple(runs), (overview.Queue("JOBS", "trainer-cpu--train", 3, 1, 0),), dead_letters=2)
    newest, middle, oldest = found.as_json(10)["runs"]
    assert (newest["stage"], newest["trouble"]) == ("rejected", "prices: text_in_numbers: close holds text")
    assert middle["trouble"] == "no 6m: no member has matured cutoffs"
    assert (oldest["stage"], oldest["planned"], oldest["ended"], oldest["failed"]) == ("done", 10, 10, 5)
    assert len(found.as_json(1)["runs"]) == 1
    runs_table, queue_table = found.tables(10)
    assert len(runs_table.rows) == 3
    assert queue_table.rows == (("JOBS", "trainer-cpu--train", "3", "1", "0"),)
    assert "2 dead letters" in queue_table.note


def test_trace_shows_the_whole_run_or_one_event(known, capsys) -> None:
    forecast = next(event for event in Story().whole() if event.type == "forecast.ready")
    whole = out(capsys, "trace", RUN_ID[:6])
    assert whole.count("model.trained") == 5
    assert f"manifest/1 sha256:{'ab' * 32}" in whole
    (request,) = json.loads(out(capsys, "trace", forecast.id, "--json"))["events"]
    (export,) = request["led_to"]
    assert [event["type"] for event in export["led_to"]] == ["forecast.ready"]
