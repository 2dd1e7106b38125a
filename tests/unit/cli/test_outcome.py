import json
from pathlib import Path

import pytest

from cbi_common.core.errors import DataError, IncompleteError, UsageError
from cbi_common.core.horizon import Horizon
from cbi_common.events.base import Envelope
from cbi_common.events.monitoring import AlertRaised
from cbi_common.reporting.projection import Run, Runs
from cbi_common.reporting.report import Measured
from cbi_common.runtime import console
from cbi_common.runtime.commands.outcome import conclude
from cbi_common.testing.story import RUN_ID, Story, exported, forecast_ready

MEASURED = Measured(wall_s=3.0, cores=2, peak_rss_mb=500.0)


def run_of(events: list[Envelope[object]]) -> Run:
    (run,) = Runs(events).all()
    return run


def test_a_whole_run_is_0_and_writes_its_report(tmp_path: Path, capsys) -> None:
    file = tmp_path / "out.json"
    assert conclude(run_of(Story().whole(failed="dense")), MEASURED, str(file)) == 0
    assert json.loads(file.read_text())["run_id"] == RUN_ID
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]
    told = capsys.readouterr().out
    assert "SIMULATED" in told
    assert "BUY" in told
    assert "dense 1w failed: killed after 900 CPU seconds" in told


def test_an_alert_is_told_and_stops_nothing(tmp_path: Path, capsys) -> None:
    story = Story()
    told = AlertRaised(market="zl", severity="warning", source="trainer-cpu--track", what="models were not tracked")
    run = run_of([*story.whole(), story.tell(told)])
    assert conclude(run, MEASURED, str(tmp_path / "out.json")) == 0
    line = "trainer-cpu--track: models were not tracked"
    assert json.loads((tmp_path / "out.json").read_text())["alerts"] == [line]
    assert f"alert: {line}" in capsys.readouterr().out


def test_real_data_is_not_called_simulated(capsys) -> None:
    conclude(run_of(Story(simulated=False).whole()), MEASURED, None)
    assert "simulated" not in capsys.readouterr().out.lower()


def test_the_report_alone_goes_to_stdout(capsys) -> None:
    conclude(run_of(Story().whole()), MEASURED, "-")
    assert json.loads(capsys.readouterr().out)["peak_rss_mb"] == 500.0


def test_rejected_data_names_table_check_count_and_message_and_still_writes(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    with pytest.raises(DataError, match=r"table prices: text_in_numbers: close holds text \(3 found\)"):
        conclude(run_of(Story().rejection()), MEASURED, str(file))
    assert json.loads(file.read_text())["rejected"]["count"] == 3


def test_a_missing_horizon_is_incomplete_after_the_table(capsys) -> None:
    story = Story()
    events = [story.request, story.tell(exported()), story.tell(forecast_ready(without=Horizon.M12))]
    with pytest.raises(IncompleteError, match="12m: no member has matured cutoffs"):
        conclude(run_of(events), MEASURED, None)
    assert "12m: no forecast" in capsys.readouterr().out


def test_a_file_that_cannot_be_written_says_so_and_an_old_one_stays(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="give another --json FILE"):
        conclude(run_of(Story().whole()), MEASURED, str(tmp_path / "no" / "out.json"))
    file = tmp_path / "out.json"
    file.write_text("old")
    with pytest.raises(ValueError, match="Out of range float"):
        console.save_json(file, {"value": float("nan")})
    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]
