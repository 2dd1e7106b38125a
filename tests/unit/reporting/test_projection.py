from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cbi_common.core.errors import UsageError
from cbi_common.core.horizon import Horizon
from cbi_common.events.base import Envelope
from cbi_common.events.data import DataExported
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.training import ModelFailed, ModelTrained
from cbi_common.reporting.projection import Runs
from cbi_common.reporting.report import build_report
from cbi_common.testing.story import RUN_ID, START, Story, forecast_ready, model_failed, trained

WHOLE = Story().whole(failed="dense")


def run_of(events: list[Envelope[object]]):
    (run,) = Runs(events).all()
    return run


def test_the_stages_of_a_run_in_their_order() -> None:
    seen = [run_of(WHOLE[: n + 1]).stage for n in range(len(WHOLE))]
    assert list(dict.fromkeys(seen)) == ["ingest", "training", "ensemble", "conclusions", "done"]
    assert seen[-1] == "done"
    assert seen[-2] == "conclusions"


@settings(max_examples=30, deadline=None)
@given(st.permutations(WHOLE), st.lists(st.sampled_from(WHOLE), max_size=10))
def test_order_and_repetition_of_events_change_nothing(shuffled, repeated) -> None:
    assert build_report(run_of([*repeated, *shuffled])) == build_report(run_of(WHOLE))


def test_planned_models_and_what_came_of_them() -> None:
    run = run_of(WHOLE)
    assert len(run.planned) == len(run.results) == 2 * len(Horizon)
    assert isinstance(run.results["dense", Horizon.M1], ModelFailed)
    assert isinstance(run.results["ets", Horizon.M1], ModelTrained)


def test_a_result_after_a_retry_replaces_the_failure() -> None:
    story = Story()
    events = [story.request, story.tell(model_failed("ets", Horizon.W1), "a"), story.tell(trained("ets", Horizon.W1))]
    assert isinstance(run_of(events).results["ets", Horizon.W1], ModelTrained)


def test_the_final_forecast_counts_before_a_later_provisional_one() -> None:
    story = Story()
    final = story.tell(forecast_ready(), "final")
    provisional = story.tell(forecast_ready().model_copy(update={"provisional": True}), "deadline")
    run = run_of([story.request, final, provisional])
    assert run.forecast == final
    assert run_of([story.request, provisional]).forecast == provisional


def test_a_provisional_forecast_does_not_end_a_run() -> None:
    events = [
        e.model_copy(update={"data": e.data.model_copy(update={"provisional": True})})
        if isinstance(e.data, ForecastReady)
        else e
        for e in WHOLE
    ]
    assert not run_of(events).complete


def test_a_forecast_without_any_horizon_ends_the_run() -> None:
    nothing = forecast_ready().model_copy(update={"forecasts": {}})
    story = Story()
    events = [*WHOLE[:2], story.tell(nothing)]
    assert run_of(events).stage == "done"


def test_a_bare_export_by_hand_starts_a_run_that_its_completion_continues() -> None:
    bare = Envelope.first(DataExported(market="zl"), source="external", now=START, event_id="hand")
    run = run_of([bare])
    assert (run.stage, run.export, run.request, run.run_id) == ("ingest", None, None, None)
    completed = bare.caused(WHOLE[1].data, source="ingest", now=START + timedelta(seconds=1))
    assert run_of([bare, completed]).run_id == RUN_ID


def test_a_rejection_ends_the_run() -> None:
    run = run_of(Story().rejection())
    assert (run.stage, run.simulated) == ("rejected", False)
    assert not run.complete


def test_a_lone_alert_is_no_run() -> None:
    story = Story()
    alert = story.alert()
    assert Runs([alert]).all() == []
    assert run_of([story.request, alert]).critical == alert.data


def test_runs_are_found_by_run_id_and_by_event_prefix() -> None:
    first, second = Story("aaa-1").whole(), Story("aab-2", START + timedelta(hours=1)).whole()
    runs = Runs([*second, *first])
    assert [run.correlation_id for run in runs.all()] == ["aaa-1", "aab-2"]
    assert runs.find("aaa").correlation_id == "aaa-1"
    assert runs.find(RUN_ID[:6]).correlation_id == "aab-2"
    assert runs.find(first[-1].id).correlation_id == "aaa-1"
    latest = runs.latest_complete()
    assert latest is not None
    assert latest.correlation_id == "aab-2"
    with pytest.raises(UsageError, match="fits 2 runs"):
        runs.find("aa")
    with pytest.raises(UsageError, match="no run or event"):
        runs.find("zzz")


def test_an_unfinished_newer_run_does_not_hide_the_complete_one() -> None:
    runs = Runs([*Story("old").whole(), *Story("new", START + timedelta(hours=1)).whole()[:5]])
    latest = runs.latest_complete()
    assert latest is not None
    assert latest.correlation_id == "old"
