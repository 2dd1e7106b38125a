from datetime import timedelta

import pytest

from cbi_common.core.horizon import Horizon
from cbi_common.reporting.projection import Runs
from cbi_common.testing.story import START, Story, exported, forecast_ready, horizon_forecast, metrics
from dashboard.domain import page, view
from dashboard.domain.known import Known

TODAY = START + timedelta(hours=2)


def prediction(**changes):
    (first, *_) = view.predictions(Runs(Story().whole()), TODAY.date()).predictions
    return first.model_copy(update=changes)


@pytest.mark.parametrize(
    ("signal", "point", "words"),
    [("BUY", 52.0, "Buy now"), ("WAIT", 46.0, "Wait"), ("MONITOR", 49.1, "No clear move")],
)
def test_advice_says_what_to_do(signal: str, point: float, words: str) -> None:
    said = page.advice(prediction(signal=signal, point=point))
    assert said.startswith(words)
    assert ("+" in said) == (point > 49)


@pytest.mark.parametrize(
    ("skill", "dm_p", "words"),
    [
        (None, None, "not scored"),
        (-0.01, 0.9, "no better"),
        (0.0, 0.5, "no better"),
        (0.02, None, "too few independent"),
        (0.02, 0.2, "not proven"),
        (0.02, 0.01, "better than no change"),
    ],
)
def test_the_record_is_never_flattered(skill: float | None, dm_p: float | None, words: str) -> None:
    assert page.verdict(prediction(skill=skill, dm_p=dm_p)).startswith(words)


def test_bands_share_one_scale() -> None:
    shown = page.compose(Known(Runs(Story().whole())), TODAY)
    assert min(row.band.left for row in shown.rows) == 0
    assert max(row.band.left + row.band.width for row in shown.rows) == pytest.approx(100, abs=0.2)
    for row in shown.rows:
        assert row.band.left < row.band.point < row.band.left + row.band.width
    assert len({row.band.current for row in shown.rows}) == 1


def test_an_empty_system_says_how_to_begin() -> None:
    shown = page.compose(Known(Runs()), TODAY)
    assert "cbi run" in shown.empty
    assert shown.rows == ()


def test_fresh_data_is_not_called_old_and_old_data_is() -> None:
    known = Known(Runs(Story().whole()))
    assert not page.compose(known, TODAY).old
    later = page.compose(known, TODAY + timedelta(days=30))
    assert later.old
    assert "33 days ago" in later.freshness


def test_a_rejected_newer_run_is_named_beside_the_older_numbers() -> None:
    newer = Story("newer", START + timedelta(hours=1))
    shown = page.compose(Known(Runs([*Story().whole(), *newer.rejection()])), TODAY)
    assert shown.old
    assert "text_in_numbers" in shown.freshness
    assert shown.runs[0].stage == "rejected"
    assert shown.rows


def test_a_missing_horizon_is_listed_with_its_reason() -> None:
    story = Story()
    events = [story.request, story.tell(exported()), story.tell(forecast_ready(without=Horizon.M12))]
    shown = page.compose(Known(Runs(events)), TODAY)
    assert shown.missing == (("12 months", "no member has matured cutoffs"),)
    assert shown.regime is None
    assert {row.why for row in shown.rows} == {"not explained yet"}


def test_scores_of_a_forecast_reach_the_answer() -> None:
    found = horizon_forecast(Horizon.W1).model_copy(update={"metrics": metrics(skill=0.25, dm_p=0.01)})
    data = forecast_ready().model_copy(update={"forecasts": {Horizon.W1: found}})
    story = Story()
    answer = view.forecast(Runs([story.request, story.tell(data)]), Horizon.W1, TODAY.date())
    assert (answer.prediction.skill, answer.prediction.dm_p, answer.prediction.no_change_mape) == (0.25, 0.01, 0.034)
