"""What BigQuery's answers become; the client itself is tested over the wire."""

from __future__ import annotations

import warnings
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from cbi_common.core.errors import CbiError, DataError, InfrastructureError, TransientError

with warnings.catch_warnings():
    # Google announces the end of its support for Python 3.11 on import.
    warnings.simplefilter("ignore", FutureWarning)
    from google.api_core import exceptions
    from google.auth import exceptions as auth
    from google.cloud import bigquery

    from cbi_common.storage.warehouse_bigquery import BigQueryWarehouse

SCHEMA = [
    bigquery.SchemaField("date", "DATE"),
    bigquery.SchemaField("close", "FLOAT64"),
    bigquery.SchemaField("s", "STRING"),
]


class FakeClient:
    """Answers as BigQuery does for one table, or raises what it is given."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.modified = "2025-05-16"
        self.selected: list[str] = []

    def get_table(self, name: str, **_: Any) -> Any:
        if self.error is not None:
            raise self.error
        return SimpleNamespace(
            schema=SCHEMA, num_rows=2, num_bytes=40, etag="e", modified=self.modified, table_type="TABLE", name=name
        )

    def list_rows(self, _: Any, selected_fields: list[bigquery.SchemaField], **__: Any) -> Any:
        self.selected = [field.name for field in selected_fields]
        table = pa.table({name: [1.0, 2.0] for name in self.selected})
        return SimpleNamespace(to_arrow=lambda **_: table)

    def list_datasets(self, **_: Any) -> Any:
        return [SimpleNamespace(dataset_id="shop", reference="shop")]

    def list_tables(self, *_: Any, **__: Any) -> Any:
        return [SimpleNamespace(table_id="tea"), SimpleNamespace(table_id="milk")]


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    fake = FakeClient()
    monkeypatch.setattr(bigquery, "Client", lambda **_: fake)
    return fake


def test_only_the_columns_asked_for_are_read(client: FakeClient) -> None:
    warehouse = BigQueryWarehouse("bigquery://some-project")
    assert warehouse.tables() == ("shop.milk", "shop.tea")
    types = {field.name: field.type for field in warehouse.schema("shop.tea")}
    assert types == {"date": pa.date32(), "close": pa.float64(), "s": pa.string()}
    assert warehouse.read("shop.tea", ("close",)).column_names == ["close"]
    assert client.selected == ["close"]
    with pytest.raises(DataError, match="no column 'open'; it has date, close, s"):
        warehouse.read("shop.tea", ("open",))


def test_the_fingerprint_follows_the_state_that_bigquery_reports(client: FakeClient) -> None:
    warehouse = BigQueryWarehouse("bigquery://some-project")
    before = warehouse.fingerprint("shop.tea")
    assert before == warehouse.fingerprint("shop.tea")
    client.modified = "2025-05-17"
    assert warehouse.fingerprint("shop.tea") != before


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (exceptions.NotFound("x"), DataError, "no such table"),
        (exceptions.Forbidden("x"), InfrastructureError, "not allowed"),
        (auth.RefreshError("x"), InfrastructureError, "not allowed"),
        (exceptions.ServiceUnavailable("x\ny"), TransientError, "does not answer"),
        (exceptions.RetryError("x", None), TransientError, "does not answer"),
    ],
)
def test_an_error_of_bigquery_becomes_one_line(
    client: FakeClient, error: Exception, kind: type[CbiError], says: str
) -> None:
    warehouse = BigQueryWarehouse("bigquery://some-project")
    client.error = error
    with pytest.raises(kind, match=says) as caught:
        warehouse.read("shop.tea")
    assert "\n" not in caught.value.line()


def test_a_name_that_is_no_table_never_reaches_bigquery(client: FakeClient) -> None:
    client.error = AssertionError("asked")
    with pytest.raises(DataError, match="not a table name"):
        BigQueryWarehouse("bigquery://some-project").read("shop.tea; DROP TABLE shop.tea")


def test_missing_credentials_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(**_: Any) -> None:
        raise auth.DefaultCredentialsError("none")

    monkeypatch.setattr(bigquery, "Client", nobody)
    with pytest.raises(InfrastructureError, match="no Google credentials; run `gcloud auth"):
        BigQueryWarehouse("bigquery://some-project")
