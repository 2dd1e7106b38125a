"""Results in BigQuery: what the folder holds, every event once however often and however closely it is recorded."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from google.cloud import bigquery

from cbi_common.core.errors import UsageError
from cbi_common.events.base import Envelope
from cbi_common.storage.result_rows import KINDS, rows_of
from cbi_common.storage.results import FolderResults, ResultsStore, open_results
from cbi_common.testing.bigquery import Emulator
from cbi_common.testing.fakes import envelope
from cbi_common.testing.outcomes import AS_OF, outcomes

PROJECT = "results-project"
NOW = datetime(2025, 5, 17, 3, 4, 5, 678901, tzinfo=UTC)
EVENTS: list[Envelope] = [envelope(data, event_id=f"event {n}/ü", now=NOW) for n, data in enumerate(outcomes())]


def fill(store: ResultsStore) -> None:
    for event in EVENTS:
        kind, rows = rows_of(event, simulated=True)
        store.record(kind, event.id, rows)


@pytest.fixture(scope="module")
def store(emulator: Emulator) -> ResultsStore:
    opened = open_results(emulator.url(f"{PROJECT}/cbi_results"))
    fill(opened)
    return opened


def test_they_are_those_of_the_folder(store: ResultsStore, tmp_path: Path) -> None:
    folder = FolderResults(str(tmp_path))
    fill(folder)
    for kind in KINDS.values():
        order = sorted if kind.name != "alerts" else list
        kept, expected = (where.read(kind) for where in (store, folder))
        assert kept.schema.equals(expected.schema)
        assert order(map(str, kept.to_pylist())) == order(map(str, expected.to_pylist()))
        assert kept.num_rows > 0


def test_an_event_that_comes_again_changes_nothing(store: ResultsStore) -> None:
    before = {kind.name: store.read(kind).num_rows for kind in KINDS.values()}
    fill(store)
    later = [event.model_copy(update={"time": datetime(2026, 1, 1, tzinfo=UTC)}) for event in EVENTS]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda e: store.record(*_named(e)), later))
    assert {kind.name: store.read(kind).num_rows for kind in KINDS.values()} == before


def test_since_leaves_earlier_days_out(store: ResultsStore) -> None:
    forecasts = KINDS["forecasts"]
    assert store.read(forecasts, AS_OF).num_rows == 3
    assert store.read(forecasts, date(2025, 5, 17)).num_rows == 0


def test_tables_are_partitioned_and_clustered(store: ResultsStore, emulator: Emulator) -> None:
    client = emulator.client(PROJECT)
    assert client.get_dataset(f"{PROJECT}.cbi_results").labels == {"cbi": "results"}
    for kind in KINDS.values():
        table = client.get_table(f"{PROJECT}.cbi_results.{kind.name}")
        assert (table.time_partitioning.type_, table.time_partitioning.field) == ("DAY", "day")
        assert tuple(table.clustering_fields) == kind.clustered


def test_prepare_makes_everything_and_may_be_repeated(emulator: Emulator) -> None:
    store = open_results(emulator.url("fresh-project/kept_here"))
    store.prepare()
    store.prepare()
    names = {table.table_id for table in emulator.client("fresh-project").list_tables("fresh-project.kept_here")}
    assert names == set(KINDS)


def test_a_table_of_an_earlier_version_gets_the_columns_it_lacks(emulator: Emulator) -> None:
    client, kind = emulator.client("old-project"), KINDS["alerts"]
    client.create_dataset("old-project.cbi_results")
    old = [bigquery.SchemaField(n, t) for n, t in (("event_id", "STRING"), ("day", "DATE"), ("mood", "STRING"))]
    client.create_table(bigquery.Table("old-project.cbi_results.alerts", old))
    store = open_results(emulator.url("old-project/cbi_results"))
    client.query("INSERT `old-project.cbi_results.alerts` (event_id, mood) VALUES ('old', 'good')").result(timeout=20)
    (row,) = store.read(kind).to_pylist()
    assert row == {**dict.fromkeys(kind.schema.names), "event_id": "old"}
    store.prepare()
    names = [field.name for field in client.get_table("old-project.cbi_results.alerts").schema]
    assert (names[:3], set(names)) == (["event_id", "day", "mood"], {"mood", *kind.schema.names})


def test_reading_makes_nothing(emulator: Emulator) -> None:
    store = open_results(emulator.url("empty-project/cbi_results"))
    assert [store.read(kind).num_rows for kind in KINDS.values()] == [0] * len(KINDS)
    assert list(emulator.client("empty-project").list_datasets()) == []


def test_a_url_without_a_dataset_is_refused() -> None:
    with pytest.raises(UsageError, match="no dataset"):
        open_results("bigquery://some-project")


def _named(event: Envelope) -> tuple:  # type: ignore[type-arg]
    kind, rows = rows_of(event, simulated=True)
    return kind, event.id, rows
