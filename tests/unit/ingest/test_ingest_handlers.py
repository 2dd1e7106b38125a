"""What ingest answers, with workers and state faked."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Coroutine, Sequence
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import pytest

from cbi_common.core.errors import InfrastructureError
from cbi_common.events.base import EventData
from cbi_common.events.data import DataExported, DataRejected, DataRequested
from cbi_common.events.manifest import RunManifest
from cbi_common.runtime.service import Kit, Outgoing
from cbi_common.testing.fakes import FakeWorkers, envelope, make_kit
from ingest import jobs
from ingest.app import build
from ingest.handlers import Handlers

T = TypeVar("T")
JOBS = {"ingest.jobs:export": jobs.export, "ingest.jobs:retrain": jobs.retrain}
MARKET = "zl"
WAREHOUSE = "simulated?sessions=1500&seed=5"
EARLIER = date(2025, 5, 9)


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake in which what most requests of these tests ask for lies already: only the first one computes it."""
    home = tmp_path_factory.mktemp("exported")
    handlers = Handlers(make_kit(home, jobs=JOBS, warehouse=WAREHOUSE))
    for as_of in (None, EARLIER):
        only(run(handlers.export(request(as_of=as_of))), DataExported)
    return home / "lake"


@pytest.fixture
def kit(tmp_path: Path, exported: Path) -> Kit:
    shutil.copytree(exported, tmp_path / "lake")
    return make_kit(tmp_path, jobs=JOBS, warehouse=WAREHOUSE)


def only(sent: Sequence[Outgoing], kind: type[EventData]) -> Any:
    (outgoing,) = sent
    assert isinstance(outgoing.data, kind)
    return outgoing.data


def request(**fields: Any) -> Any:
    # One wide table is enough here, and six times as fast as all.
    return envelope(DataRequested(market=MARKET, profile="smoke", **{"datasets": ("trump_rich",), **fields}))


def manifest_of(kit: Kit, event: DataExported) -> RunManifest:
    assert event.manifest is not None
    return RunManifest.model_validate(kit.lake.get_json(event.manifest))


def causes(kit: Kit, event: DataExported) -> list[str]:
    return [refit.cause for refit in manifest_of(kit, event).refits if refit.cause != "grid"]


def calls(kit: Kit) -> list[str]:
    assert isinstance(kit.workers, FakeWorkers)
    return [entry for entry, _ in kit.workers.calls]


def test_a_request_is_answered_with_an_export_that_is_remembered(kit: Kit) -> None:
    sent = only(run(Handlers(kit).export(request(reason="daily", as_of=EARLIER))), DataExported)
    assert sent.complete
    assert (sent.as_of, sent.reason, sent.simulated) == (EARLIER, "daily", True)
    raw = run(kit.state.get("export.zl"))
    assert raw is not None
    assert DataExported.model_validate_json(raw) == sent


def test_bad_data_is_answered_with_its_reason_and_not_remembered(kit: Kit) -> None:
    sent = only(run(Handlers(kit).export(request(as_of=date(1950, 1, 2)))), DataRejected)
    assert sent.check == "as_of"
    assert run(kit.state.get("export.zl")) is None


def test_a_complete_export_is_left_alone(kit: Kit) -> None:
    sent = only(run(Handlers(kit).export(request())), DataExported)
    before = calls(kit)
    assert run(Handlers(kit).complete(envelope(sent))) == []
    assert calls(kit) == before


def test_a_bare_export_is_completed_with_the_latest_and_a_refit_at_its_as_of(kit: Kit) -> None:
    first = only(run(Handlers(kit).export(request())), DataExported)
    bare = envelope(DataExported(market=MARKET), event_id="bare-1")
    sent = only(run(Handlers(kit).complete(bare)), DataExported)
    assert calls(kit)[-1] == "ingest.jobs:retrain"
    assert sent.datasets == first.datasets
    assert causes(kit, sent) == ["bare-1"]
    # Delivered twice: the same answer.
    assert only(run(Handlers(kit).complete(bare)), DataExported) == sent


def test_a_bare_export_without_a_latest_one_exports_first(kit: Kit) -> None:
    bare = envelope(DataExported(market=MARKET, profile="smoke"), event_id="bare-1")
    sent = only(run(Handlers(kit).complete(bare)), DataExported)
    assert calls(kit) == ["ingest.jobs:export"]
    assert causes(kit, sent) == ["bare-1"]


def test_a_bare_export_of_another_day_is_exported_anew(kit: Kit) -> None:
    run(Handlers(kit).export(request()))
    bare = envelope(DataExported(market=MARKET, as_of=EARLIER), event_id="bare-1")
    sent = only(run(Handlers(kit).complete(bare)), DataExported)
    assert (sent.as_of, sent.profile) == (EARLIER, "smoke")
    assert causes(kit, sent) == ["bare-1"]


def test_a_retrain_is_inherited_by_later_exports_and_not_by_earlier_days(kit: Kit) -> None:
    handlers = Handlers(kit)
    run(handlers.export(request(as_of=EARLIER)))
    run(handlers.complete(envelope(DataExported(market=MARKET), event_id="bare-1")))
    later = only(run(handlers.export(request(as_of=date(2025, 5, 12)))), DataExported)
    assert causes(kit, later) == ["bare-1"]
    earlier = only(run(handlers.export(request(as_of=date(2025, 5, 8)))), DataExported)
    assert causes(kit, earlier) == []


def test_a_retrain_of_the_simulated_market_is_not_inherited_by_the_real_one(
    kit: Kit, tmp_path: Path, folder: Path
) -> None:
    run(Handlers(kit).export(request()))
    run(Handlers(kit).complete(envelope(DataExported(market=MARKET), event_id="bare-1")))
    real = make_kit(tmp_path, jobs=JOBS, state=kit.state, warehouse=str(folder))
    sent = only(run(Handlers(real).export(request())), DataExported)
    assert (sent.simulated, causes(real, sent)) == (False, [])


def test_a_lake_that_was_emptied_inherits_nothing_and_fails_nothing(kit: Kit, tmp_path: Path) -> None:
    run(Handlers(kit).export(request()))
    fresh = make_kit(tmp_path / "fresh", jobs=JOBS, state=kit.state, warehouse=WAREHOUSE)
    assert only(run(Handlers(fresh).export(request())), DataExported).complete


def test_the_service_listens_to_requests_and_exports(kit: Kit) -> None:
    service = build(kit)
    heard = {s.event: s for s in service.subscriptions if s.publishes}
    assert set(heard) == {DataRequested, DataExported}
    assert all(set(s.publishes) == {DataExported, DataRejected} for s in heard.values())


def test_the_datasets_that_were_asked_for_are_passed_on(kit: Kit) -> None:
    event = only(run(Handlers(kit).export(request(datasets=("production_1w",)))), DataExported)
    assert isinstance(kit.workers, FakeWorkers)
    assert kit.workers.calls[0][1]["datasets"] == ["production_1w"]
    assert event.datasets.keys() | event.absent.keys() == {"panel", "full", "production_1w", "news", "benchmark"}


def test_a_manifest_of_another_version_says_what_to_do(kit: Kit) -> None:
    event = only(run(Handlers(kit).export(request())), DataExported)
    old = manifest_of(kit, event).model_dump(mode="json")
    old["refits"] = [{**refit, "dropped_columns": []} for refit in old["refits"]]
    ref = kit.lake.put_json("manifest/old", old)
    stale = event.model_copy(update={"manifest": ref})
    run(kit.state.put(f"export.{MARKET}", stale.model_dump_json().encode()))
    with pytest.raises(InfrastructureError, match="another version"):
        run(Handlers(kit).export(request()))
