"""One drift of the simulated market leads to one retrain and a new forecast, without a hand, and to no second one."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Any

import pytest

from cbi_common.core.clock import system_clock
from cbi_common.events.base import Envelope
from cbi_common.events.data import DataRequested
from cbi_common.events.manifest import GRID, RunManifest
from cbi_common.events.monitoring import AlertRaised, DriftDetected
from cbi_common.reporting.lineage import causation
from cbi_common.reporting.projection import Run, Runs
from cbi_common.runtime.embedded import Stack
from cbi_common.runtime.journal import Journal
from cbi_common.runtime.settings import Settings
from cbi_common.storage.lake import Lake

pytestmark = pytest.mark.e2e

AS_OF = date(2025, 5, 16)
MARKET = "simulated?sessions=1500&seed=5&predictability=0.2&faults=error_drift:2025-02-24"
PATIENCE_S = 240


def request(event_id: str) -> Envelope[Any]:
    data = DataRequested(market="zl", as_of=AS_OF, profile="smoke", scope="used")
    return Envelope.first(data, source="test", now=system_clock(), event_id=event_id)


async def lived_through(settings: Settings) -> list[Envelope[Any]]:
    """Ask twice for the same day and return everything that came of it."""
    async with asyncio.timeout(PATIENCE_S), Stack(settings) as stack:
        for event_id in ("first", "again"):
            await stack.bus.publish(request(event_id))
            await stack.idle()
        return await Journal(stack.bus).events()


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("drift") / "lake")


@pytest.fixture(scope="module")
def events(lake: str) -> list[Envelope[Any]]:
    return asyncio.run(lived_through(Settings.load(lake=lake, warehouse=MARKET, tracking="off")))


def run_of(events: list[Envelope[Any]], correlation: str) -> Run:
    found = Runs(events).get(correlation)
    assert found is not None
    return found


def asked_for(events: list[Envelope[Any]]) -> Envelope[DataRequested]:
    (asked,) = [e for e in events if isinstance(e.data, DataRequested) and e.causationid is not None]
    return asked


def test_one_drift_leads_to_exactly_one_retrain_and_a_new_forecast(events: list[Envelope[Any]], lake: str) -> None:
    asked = asked_for(events)
    drifts = [e for e in events if isinstance(e.data, DriftDetected) and e.data.action == "retrain"]
    (drift,) = [e for e in drifts if e.id == asked.causationid]
    assert {e.correlationid for e in drifts} == {"first"}
    assert asked.data.refit
    assert (asked.data.as_of, asked.data.profile) == (AS_OF, "smoke")
    assert asked.data.reason == f"drift: {drift.data.what}"

    first, retrained = run_of(events, "first"), run_of(events, asked.id)
    assert first.complete
    assert retrained.complete
    assert first.run_id != retrained.run_id
    assert {r.cause for r in refits(lake, first)} == {GRID}
    assert {r.cause for r in refits(lake, retrained)} == {GRID, asked.id}


def refits(lake: str, run: Run) -> tuple[Any, ...]:
    store = Lake(lake)
    ref = store.find(f"manifest/{run.run_id}")
    assert ref is not None
    return RunManifest.model_validate(store.get_json(ref)).refits


def test_neither_the_retrained_forecast_nor_the_same_day_again_asks_for_another(events: list[Envelope[Any]]) -> None:
    assert [e.data.reason for e in events if isinstance(e.data, DataRequested) and e.data.refit] == [
        asked_for(events).data.reason
    ]
    assert run_of(events, "again").complete
    alerts = [e.data for e in events if isinstance(e.data, AlertRaised)]
    conditions = [alert.condition for alert in alerts if not alert.resolved]
    assert "correlation/zl-palm" in conditions
    assert len(conditions) == len(set(conditions))


def test_the_retrain_can_be_traced_to_its_drift(events: list[Envelope[Any]]) -> None:
    asked = asked_for(events)
    (tree,) = [node for node in causation(events) if node.event.id == "first"]
    drifts = [node for node in below(tree) if isinstance(node.event.data, DriftDetected)]
    causes = [node.event for node in drifts if asked.id in {child.event.id for child in node.children}]
    assert [e.id for e in causes] == [asked.causationid]
    assert asked.data.reason == f"drift: {causes[0].data.what}"


def below(node: Any) -> list[Any]:
    return [node, *(inner for child in node.children for inner in below(child))]
