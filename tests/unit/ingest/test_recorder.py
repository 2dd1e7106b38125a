"""Events that are results reach the store once, marked when they stand on simulated data."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cbi_common.events.base import EventData
from cbi_common.runtime.service import Kit
from cbi_common.storage.result_rows import KINDS, RECORDED
from cbi_common.storage.results import open_results
from cbi_common.testing.fakes import FakeWorkers, envelope, make_kit
from cbi_common.testing.outcomes import RUN, outcomes
from ingest import records
from ingest.app import build
from ingest.recorder import Recorder


def deliver(kit: Kit, data: EventData, event_id: str) -> None:
    (handler,) = [s.handler for s in build(kit).subscriptions if s.event is type(data)]
    assert asyncio.run(handler(envelope(data, event_id=event_id))) == []  # type: ignore[arg-type]


def test_every_result_has_a_consumer_of_its_own_that_publishes_nothing(tmp_path: Path) -> None:
    subscriptions = [s for s in build(make_kit(tmp_path)).subscriptions if s.event in RECORDED]
    assert {s.event for s in subscriptions} == set(RECORDED)
    assert len({s.durable for s in subscriptions}) == len(RECORDED)
    assert {s.durable.split("_")[0] for s in subscriptions} == {"ingest--record"}
    assert {s.publishes for s in subscriptions} == {()}


def test_events_are_recorded_once_however_often_they_are_delivered(tmp_path: Path) -> None:
    kit = make_kit(tmp_path)
    for _ in range(2):
        for number, data in enumerate(outcomes()):
            deliver(kit, data, f"event-{number}")
    store = open_results(kit.settings.results_url)
    found = {name: store.read(kind).num_rows for name, kind in KINDS.items()}
    assert found == {"forecasts": 3, "explanations": 4, "validations": 1, "alerts": 1, "promotions": 5}
    assert isinstance(kit.workers, FakeWorkers)
    assert kit.workers.calls == []  # a folder needs no child process


@pytest.mark.parametrize("simulated", [True, False, None])
def test_simulated_data_is_marked_wherever_the_run_says_so(tmp_path: Path, simulated: bool | None) -> None:
    kit = make_kit(tmp_path)
    if simulated is not None:
        kit.lake.put_json(f"manifest/{RUN}", {"simulated": simulated})
    for number, data in enumerate(outcomes()):
        deliver(kit, data, f"event-{number}")
    store = open_results(kit.settings.results_url)
    for name, kind in KINDS.items():
        expected = None if name == "alerts" else simulated  # an alert belongs to no run
        assert set(store.read(kind)["simulated"].to_pylist()) == {expected}


def test_bigquery_is_written_from_a_child_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Store:
        def record(self, kind: object, event_id: str, rows: object) -> None:
            asked.append(event_id)

    def opened(url: str) -> Store:
        asked.append(url)
        return Store()

    monkeypatch.setattr(records, "open_results", opened)
    jobs = {"ingest.records:record": records.record}
    kit = make_kit(tmp_path, jobs=jobs, results="bigquery://some-project", bigquery_timeout_s=9.0)
    alert = envelope(outcomes()[3], event_id="alert-1")
    asyncio.run(Recorder(kit).record_alert(alert))  # type: ignore[arg-type]
    assert asked == ["bigquery://some-project/cbi_results?timeout_s=9.0", "alert-1"]
    assert isinstance(kit.workers, FakeWorkers)
    assert [call[0] for call in kit.workers.calls] == ["ingest.records:record"]
