"""What could not be made stands in the report of a run and under its forecast."""

from __future__ import annotations

from typing import Any

from cbi_common.events.base import Envelope
from cbi_common.events.data import DataExported
from cbi_common.reporting.projection import Runs
from cbi_common.reporting.report import build_report
from cbi_common.reporting.tables import forecast_table
from cbi_common.testing.story import Story

REASON = "no FinBERT weights on this machine"


def without_news(event: Envelope[Any]) -> Envelope[Any]:
    if not isinstance(event.data, DataExported):
        return event
    return event.model_copy(update={"data": event.data.model_copy(update={"absent": {"news": REASON}})})


def test_a_run_without_news_says_so() -> None:
    (run,) = Runs([without_news(event) for event in Story().whole()]).all()
    report = build_report(run)
    assert report.absent == {"news": REASON}
    assert f"without news: {REASON}" in forecast_table(report).note.splitlines()


def test_a_run_that_has_everything_says_nothing_of_it() -> None:
    (run,) = Runs(Story().whole()).all()
    assert build_report(run).absent == {}
    assert "without" not in forecast_table(build_report(run)).note
