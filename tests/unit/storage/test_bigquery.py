"""What an emulator cannot show: metadata as fingerprint, interrupted streams, refusals, jobs that are there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from google.api_core import exceptions
from google.auth import exceptions as auth
from google.cloud import bigquery

from cbi_common.core.errors import CbiError, DataError, InfrastructureError, TransientError
from cbi_common.storage import bigquery_project, bigquery_stream
from cbi_common.storage.bigquery_project import Project
from cbi_common.storage.read_cost import column_bytes, cost_usd
from cbi_common.storage.result_rows import rows_of
from cbi_common.storage.results_bigquery import BigQueryResults
from cbi_common.storage.warehouse_bigquery import BigQueryWarehouse
from cbi_common.testing.fakes import envelope
from cbi_common.testing.outcomes import outcomes

URL = "bigquery://some-project"
SCHEMA = [bigquery.SchemaField("date", "DATE"), bigquery.SchemaField("close", "FLOAT64")]
NESTED = bigquery.SchemaField(
    "legs", "RECORD", "REPEATED", fields=[bigquery.SchemaField("n", "INT64"), bigquery.SchemaField("g", "GEOGRAPHY")]
)


class FakeClient:
    """Answers as BigQuery does for one table, or raises what it is given."""

    _credentials = None

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.states = iter([("e", "2025-05-16")] * 99)
        self.buffered: object | None = None
        self.schema = SCHEMA
        self.asked: list[str] = []
        self.jobs: dict[str, Any] = {}

    def get_table(self, name: Any, **call: Any) -> Any:
        assert call["timeout"] > 0
        assert call["retry"] is not None
        if self.error is not None:
            raise self.error
        etag, modified = next(self.states)
        reference = bigquery.TableReference.from_string(str(name))
        return SimpleNamespace(
            schema=self.schema, num_rows=2, num_bytes=40, etag=etag, modified=modified, table_type="TABLE",
            reference=reference, streaming_buffer=self.buffered, created=datetime(2025, 1, 1, tzinfo=UTC),
        )  # fmt: skip

    def query(self, sql: str, job_id: str | None = None, **_: Any) -> Any:
        self.asked.append(sql)
        if job_id is not None:
            if job_id in self.jobs:
                raise exceptions.Conflict("exists")
            self.jobs[job_id] = SimpleNamespace(done=lambda **_: True, error_result=None, job_id=job_id)
            return self.jobs[job_id]
        row = {"n": 2, "x": "5", "s": "7"}
        return SimpleNamespace(done=lambda **_: True, job_id="j", result=lambda **_: [row])

    def get_job(self, job_id: str, **_: Any) -> Any:
        self.asked.append(f"get {job_id}")
        return self.jobs[job_id]


class FakeReader:
    """Streams ten rows, one to a message, and breaks off as it is told to."""

    def __init__(self, *breaks: tuple[int, Exception]) -> None:
        self.breaks = list(breaks)
        self.offsets: list[int] = []
        self.wanted: Any = None
        self.refused: Exception | None = None

    def create_read_session(self, read_session: Any, **_: Any) -> Any:
        self.wanted = read_session
        if self.refused is not None:
            raise self.refused
        schema = SimpleNamespace(serialized_schema=pa.schema([("close", pa.float64())]).serialize().to_pybytes())
        return SimpleNamespace(arrow_schema=schema, streams=[SimpleNamespace(name="s")])

    def read_rows(self, read_stream: str, offset: int, **_: Any) -> Iterator[Any]:
        self.offsets.append(offset)
        end, error = self.breaks.pop(0) if self.breaks else (10, None)
        for n in range(offset, end):
            batch = pa.record_batch({"close": [float(n)]}).serialize().to_pybytes()
            yield SimpleNamespace(row_count=1, arrow_record_batch=SimpleNamespace(serialized_record_batch=batch))
        if error is not None:
            raise error


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    fake = FakeClient()
    monkeypatch.setattr(bigquery, "Client", lambda **_: fake)
    return fake


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> FakeReader:
    fake = FakeReader()
    monkeypatch.setattr(bigquery_project, "BigQueryReadClient", lambda **_: fake)
    monkeypatch.setattr(bigquery_stream, "_PAUSE_S", 0.01)
    return fake


def test_a_stream_goes_on_where_it_was_interrupted(client: FakeClient, reader: FakeReader) -> None:
    reader.breaks = [
        (4, exceptions.ServiceUnavailable("gone")),
        (4, exceptions.InternalServerError("again")),
        (7, exceptions.DeadlineExceeded("an attempt has its time, the table may take longer")),
    ]
    table = BigQueryWarehouse(URL).read("shop.tea", ("close",))
    assert table["close"].to_pylist() == [float(n) for n in range(10)]
    assert reader.offsets == [0, 4, 4, 7]
    assert list(reader.wanted.read_options.selected_fields) == ["close"]


def test_a_stream_that_brings_nothing_more_ends(client: FakeClient, reader: FakeReader) -> None:
    reader.breaks = [(3, exceptions.ServiceUnavailable("gone"))] * 10_000
    with pytest.raises(TransientError, match="does not answer within 1 s"):
        BigQueryWarehouse(f"{URL}?timeout_s=1").read("shop.tea", ("close",))
    assert set(reader.offsets) == {0, 3}


def test_a_read_that_is_not_permitted_says_so_and_is_not_replaced(client: FakeClient, reader: FakeReader) -> None:
    reader.refused = exceptions.PermissionDenied("bigquery.readsessions.create")
    with pytest.raises(InfrastructureError, match=r"readSessionUser.*CBI_BIGQUERY_READ=rest"):
        BigQueryWarehouse(URL).read("shop.tea", ("close",))
    assert client.asked == []


def test_a_table_that_changes_while_it_is_read_is_read_again(client: FakeClient, reader: FakeReader) -> None:
    client.states = iter([("e", "2025-05-16"), ("f", "2025-05-17")])
    with pytest.raises(TransientError, match=r"shop\.tea: changed while it was read"):
        BigQueryWarehouse(URL).read("shop.tea", ("close",))


def test_the_fingerprint_of_a_table_is_its_metadata(client: FakeClient) -> None:
    client.states = iter([("e", "1"), ("e", "1"), ("f", "1"), ("e", "2")])
    prints = [BigQueryWarehouse(URL).fingerprint("shop.tea") for _ in range(4)]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3
    assert client.asked == []


def test_rows_that_are_still_being_streamed_in_are_looked_at(client: FakeClient) -> None:
    plain = BigQueryWarehouse(URL).fingerprint("shop.tea")
    client.buffered = object()
    assert BigQueryWarehouse(URL).fingerprint("shop.tea") != plain
    assert "FARM_FINGERPRINT" in client.asked[0]


def test_nested_columns_have_their_types(client: FakeClient) -> None:
    client.schema = [NESTED]
    expected = pa.list_(pa.struct([("n", pa.int64()), ("g", pa.string())]))
    assert BigQueryWarehouse(URL).schema("shop.tea").field("legs").type == expected


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (exceptions.NotFound("x"), DataError, "no such table"),
        (exceptions.Forbidden("x"), InfrastructureError, "not allowed"),
        (auth.RefreshError("x"), InfrastructureError, "not allowed"),
        (exceptions.BadRequest("x"), DataError, "BigQuery refuses"),
        (exceptions.ServiceUnavailable("x\ny"), TransientError, "does not answer"),
        (exceptions.RetryError("x", None), TransientError, "does not answer"),
        (TimeoutError("job j has run for 600 s"), TransientError, "does not answer"),
    ],
)
def test_an_error_of_bigquery_becomes_one_line(
    client: FakeClient, error: Exception, kind: type[CbiError], says: str
) -> None:
    client.error = error
    with pytest.raises(kind, match=says) as caught:
        BigQueryWarehouse(URL).read("shop.tea")
    assert "\n" not in caught.value.line()


def test_a_name_that_is_no_table_never_reaches_bigquery(client: FakeClient) -> None:
    client.error = AssertionError("asked")
    with pytest.raises(DataError, match="not a table name"):
        BigQueryWarehouse(URL).read("shop.tea; DROP TABLE shop.tea")


def test_missing_credentials_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(**_: Any) -> None:
        raise auth.DefaultCredentialsError("none")

    monkeypatch.setattr(bigquery, "Client", nobody)
    with pytest.raises(InfrastructureError, match="no Google credentials; run `gcloud auth"):
        BigQueryWarehouse(URL)


def test_an_emulator_of_another_purpose_gets_nothing_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", "http://127.0.0.1:1")
    seen: list[dict[str, Any]] = []
    monkeypatch.setattr(bigquery, "Client", lambda **given: seen.append(given))
    BigQueryWarehouse(URL)
    BigQueryWarehouse(f"{URL}?endpoint=http://127.0.0.1:2&storage=127.0.0.1:3")
    assert [given["client_options"]["api_endpoint"] for given in seen] == [
        "https://bigquery.googleapis.com",
        "http://127.0.0.1:2",
    ]
    assert [given["credentials"] is None for given in seen] == [True, False]


def test_of_two_that_record_an_event_one_waits_for_the_others_job(client: FakeClient) -> None:
    kind, rows = rows_of(envelope(outcomes()[3], event_id="one"), simulated=None)
    client.schema = [bigquery.SchemaField(name, "STRING") for name in kind.schema.names]
    for _ in range(2):
        BigQueryResults(f"{URL}/cbi_results").record(kind, "one", rows)
    (job_id,) = client.jobs
    assert [asked.split()[0] for asked in client.asked] == ["MERGE", "MERGE", "get"]
    BigQueryResults(f"{URL}/cbi_results").record(kind, "two", rows)
    assert len(client.jobs) == 2
    # A job of that name that failed inserted nothing: the next has another name.
    client.jobs[job_id].error_result = {"reason": "backendError"}
    BigQueryResults(f"{URL}/cbi_results").record(kind, "one", rows)
    assert len(client.jobs) == 3


def test_a_job_that_never_ends_is_given_up(client: FakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bigquery_project, "_STATEMENT_S", 0.0)
    monkeypatch.setattr(bigquery_project, "_POLL_S", (0.0,))
    with pytest.raises(TimeoutError, match="job j has run"):
        Project(bigquery_project.Place("some-project")).wait(SimpleNamespace(done=lambda **_: False, job_id="j"))


def test_bytes_of_columns_follow_bigquerys_rules() -> None:
    kinds = {"d": pa.date32(), "x": pa.float64(), "b": pa.bool_(), "s": pa.string(), "t": pa.string()}
    schema = pa.schema({**kinds, "n": pa.decimal128(38, 9), "at": pa.timestamp("us", "UTC")})
    fixed = {"d": 80, "x": 80, "b": 10, "n": 160, "at": 80}
    assert column_bytes(schema, 10, 410 + 200) == {**fixed, "s": 100, "t": 100}
    assert column_bytes(schema, 10, 0) == {**fixed, "s": 0, "t": 0}  # an emulator states no size
    assert sum(column_bytes(schema, 10, 205).values()) == 205  # half of the values are null
    assert cost_usd([2**39, 2**39], 6.25) == 6.25
