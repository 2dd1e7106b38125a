import json

import pyarrow as pa
import pytest

from cbi_common.core.regime import Regime
from cbi_common.events.regime import RegimeAhead, RegimeChallenger, RegimeDetected
from cbi_common.reporting.projection import Runs
from cbi_common.runtime.cli import main
from cbi_common.runtime.commands import reading
from cbi_common.storage.lake import Lake
from cbi_common.storage.tables import put_table
from cbi_common.testing import story
from regime.history import past_spells

STATES = ["normal", "normal", "crisis", "crisis", "crisis", "bear"]
DAYS = ["2025-05-08", "2025-05-09", "2025-05-12", "2025-05-13", "2025-05-14", "2025-05-15"]


def table() -> pa.Table:
    labels = ["normal", None, "crisis", "bear", "crisis", "bear"]
    days = pa.array(DAYS).cast(pa.date32())
    return pa.table({"session": range(6), "date": days, "label": labels, "state": STATES})


def detected(lake: Lake) -> RegimeDetected:
    chances = {Regime.NORMAL: 0.7, Regime.BEAR: 0.1, Regime.BULL: 0.15, Regime.CRISIS: 0.05}
    one = RegimeAhead(
        probabilities=chances, accuracy=0.713, persistence_accuracy=0.661, brier=0.446, persistence_brier=0.679, n=900
    )
    return story.detected().model_copy(
        update={
            "ahead": {"21": one, "5": one.model_copy(update={"accuracy": 0.81})},
            "challenger": RegimeChallenger(
                name="jump_model", state=Regime.BULL, nowcast_accuracy=0.57, balanced_accuracy=0.61,
                forward_accuracy={"5": 0.56, "21": 0.55}, switches_per_year=0.8, detection_lag=0.3,
            ),
            "since": story.AS_OF, "sessions_in_state": 3,
            "history": put_table(lake, "regime/1.history", table()),
        }
    )  # fmt: skip


@pytest.fixture
def home(tmp_path, monkeypatch) -> str:
    folder = str(tmp_path / "lake")
    event = detected(Lake(folder))
    monkeypatch.setattr(story, "detected", lambda: event)
    monkeypatch.setattr(reading, "read_runs", lambda _lake: Runs(story.Story().whole()))
    return folder


def lines(capsys, *arguments: str) -> list[str]:
    assert main(["regime", *arguments]) == 0
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_it_tells_the_state_how_sure_and_what_it_is_worth(home, capsys):
    told = lines(capsys, "--lake", home)
    assert any(line.startswith("Regime: normal, bull the session before · ZL") for line in told)
    assert f"state normal bull for 3 sessions, since {story.AS_OF}" in told
    chances = [line.split()[0] for line in told if line.startswith("P(")]
    assert chances == [f"P({state})" for state in Regime]
    assert "P(crisis) 10.0 % 5 % in 5 sessions, 5 % in 21 sessions" in told
    assert "accuracy on the day 99.0 % 57.0 % a tautology: the labels are rules of the same inputs" in told
    assert "detection lag in sessions – 0.3 after the rules, of the changes it followed" in told
    ahead = told.index("accuracy 5 sessions ahead 80.0 % 56.0 % 82.0 % of today's state")
    assert told[ahead + 1 : ahead + 3] == ["of the forecast 81.0 % 66.1 %", "its Brier score 0.446 0.679"]
    assert "of the forecast 71.3 % 66.1 %" in told


def test_an_event_without_challenger_and_forecast_is_shown(home, capsys, monkeypatch):
    bare = story.detected().model_copy(update={"challenger": None, "ahead": {}, "sessions_in_state": None})
    monkeypatch.setattr(story, "detected", lambda: bare)
    told = lines(capsys, "--lake", home)
    assert "P(crisis) 10.0 %" in told
    assert "accuracy 5 sessions ahead 80.0 % – 82.0 % of today's state" in told


def test_what_followed_each_regime_is_counted_from_the_history(home, capsys):
    told = lines(capsys, "--lake", home, "--transition")
    # Twice a crisis became a bear market in one session; one more pair is spread over the four.
    assert "1 crisis 8.3 % 8.3 % 75.0 % 8.3 %" in told
    assert main(["regime", "--lake", home, "--transition", "--json"]) == 0
    steps = json.loads(capsys.readouterr().out)["regime_transition"]
    assert list(steps) == ["1", "5", "21"]
    for step in steps.values():
        assert [*step] == [str(state) for state in Regime]
        for ends in step.values():
            assert sum(ends.values()) == pytest.approx(1.0)


def test_probabilities_stand_in_class_order_whatever_the_json_said():
    chances = {"normal": 0.7, "bear": 0.1, "bull": 0.15, "crisis": 0.05}
    one = RegimeAhead.model_validate(
        {"probabilities": chances, "accuracy": 1, "persistence_accuracy": 1, "brier": 0, "persistence_brier": 0, "n": 1}
    )
    assert [*one.model_dump(mode="json")["probabilities"]] == [str(state) for state in Regime]


def test_the_history_shows_the_newest_spell_first(home, capsys):
    told = lines(capsys, "--lake", home, "--history")
    spells = [line for line in told if line.split()[:1] in (["normal"], ["crisis"], ["bear"])]
    assert spells == [
        "bear 2025-05-15 2025-05-15 1 100 %",
        "crisis 2025-05-12 2025-05-14 3 67 %",
        "normal 2025-05-08 2025-05-09 2 100 %",
    ]


def test_json_holds_the_report_and_what_the_event_adds(home, capsys):
    assert main(["regime", "--lake", home, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["regime"]
    assert list(found["probabilities"]) == [str(state) for state in Regime]
    assert (found["state"], found["previous_state"], found["sessions_in_state"]) == ("normal", "bull", 3)
    assert found["ahead"]["21"]["accuracy"] == 0.713
    assert found["challenger"]["name"] == "jump_model"
    assert main(["regime", "--lake", home, "--history", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["regime_history"] == past_spells(table())


def test_spells_out_of_a_history():
    found = past_spells(table())
    assert [(spell["state"], spell["sessions"]) for spell in found] == [("normal", 2), ("crisis", 3), ("bear", 1)]
    assert found[1]["agreement"] == pytest.approx(2 / 3)
    assert (found[0]["first"], found[0]["last"]) == ("2025-05-08", "2025-05-09")
