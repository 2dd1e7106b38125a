"""Tables of a BigQuery project, read over the Storage Read API into Arrow."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

import pyarrow as pa
import requests
from google.api_core import exceptions, retry
from google.auth import exceptions as auth
from google.cloud import bigquery

from cbi_common.core.errors import CbiError, DataError, InfrastructureError, TransientError, UsageError
from cbi_common.core.identity import digest
from cbi_common.storage.warehouse import TABLE_NAME, require_columns

_URL = re.compile(r"bigquery://([a-z][a-z0-9-]{4,28}[a-z0-9])/?")
_TIMEOUT_S = 60.0
# Without a deadline of our own the client tries again for ten minutes.
_RETRY = retry.Retry(predicate=retry.if_transient_error, initial=0.5, maximum=8.0, timeout=_TIMEOUT_S)

_ARROW: dict[str, pa.DataType] = {
    "STRING": pa.string(),
    "INTEGER": pa.int64(),
    "INT64": pa.int64(),
    "FLOAT": pa.float64(),
    "FLOAT64": pa.float64(),
    "NUMERIC": pa.decimal128(38, 9),
    "BIGNUMERIC": pa.decimal256(76, 38),
    "BOOLEAN": pa.bool_(),
    "BOOL": pa.bool_(),
    "DATE": pa.date32(),
    "DATETIME": pa.timestamp("us"),
    "TIMESTAMP": pa.timestamp("us", tz="UTC"),
    "TIME": pa.time64("us"),
    "BYTES": pa.binary(),
}


class BigQueryWarehouse:
    """Tables of a BigQuery project.

    Parameters
    ----------
    url : str
        ``bigquery://PROJECT``.

    Raises
    ------
    UsageError
        For a URL that names no project.
    InfrastructureError
        When the standard Google chain finds no credentials.
    """

    simulated = False

    def __init__(self, url: str) -> None:
        named = _URL.fullmatch(url)
        if named is None:
            raise UsageError("no project in the URL", where=f"warehouse {url}", hint="write bigquery://PROJECT")
        self.url = self.label = url
        self._project = named.group(1)
        with _translated(url):
            self._client = bigquery.Client(project=self._project)

    def tables(self) -> tuple[str, ...]:
        """Return the names of all tables and views."""
        return self._listing

    @cached_property
    def _listing(self) -> tuple[str, ...]:
        with _translated(self.url):
            return tuple(
                sorted(
                    f"{dataset.dataset_id}.{table.table_id}"
                    for dataset in self._client.list_datasets(retry=_RETRY, timeout=_TIMEOUT_S)
                    for table in self._client.list_tables(dataset.reference, retry=_RETRY, timeout=_TIMEOUT_S)
                )
            )

    def schema(self, table: str) -> pa.Schema:
        """Return names and types of the columns; nested ones count as strings."""
        return pa.schema([(f.name, _ARROW.get(f.field_type, pa.string())) for f in self._describe(table).schema])

    def rows(self, table: str) -> int:
        """Return the number of rows; 0 for a view, which stores none."""
        return int(self._describe(table).num_rows or 0)

    def read(self, table: str, columns: tuple[str, ...] | None = None) -> pa.Table:
        """Return a table, or the named columns of it; only these are read, and billed."""
        found = self._describe(table)
        require_columns(table, self.schema(table), columns or ())
        wanted = [f for f in found.schema if columns is None or f.name in columns]
        with _translated(table):
            if found.table_type == "VIEW":
                names = ", ".join(f"`{f.name}`" for f in wanted)
                sql = f"SELECT {names} FROM `{self._project}.{table}`"  # noqa: S608 - names come from the schema
                rows = self._client.query(sql, retry=_RETRY, timeout=_TIMEOUT_S).result(timeout=_TIMEOUT_S)
            else:
                rows = self._client.list_rows(found, selected_fields=wanted, retry=_RETRY, timeout=_TIMEOUT_S)
            arrow: pa.Table = rows.to_arrow(create_bqstorage_client=True)
        return arrow.replace_schema_metadata(None)

    def fingerprint(self, table: str) -> str:
        """Return a digest of what BigQuery says of the table's state: no byte of it is read."""
        found = self._describe(table)
        return digest(self.url, table, found.etag, found.num_rows, found.num_bytes, str(found.modified))

    def _describe(self, table: str) -> bigquery.Table:
        if not TABLE_NAME.fullmatch(table):
            raise DataError("not a table name", where=table[:100], hint="write DATASET.TABLE")
        with _translated(table):
            return self._client.get_table(f"{self._project}.{table}", retry=_RETRY, timeout=_TIMEOUT_S)


@contextmanager
def _translated(where: str) -> Iterator[None]:
    try:
        yield
    except _SAYS as error:
        raise _translation(error, where) from error


_SAYS = (exceptions.GoogleAPIError, auth.GoogleAuthError, requests.RequestException)


def _translation(error: Exception, where: str) -> CbiError:
    reason = str(error).split("\n", 1)[0][:160]
    if isinstance(error, auth.DefaultCredentialsError):
        hint = "run `gcloud auth application-default login` or set GOOGLE_APPLICATION_CREDENTIALS"
        return InfrastructureError("no Google credentials", where=where, hint=hint)
    if isinstance(error, exceptions.NotFound):
        return DataError("no such table", where=where, hint="check the project and its datasets")
    if isinstance(error, exceptions.Forbidden | exceptions.Unauthorized | auth.GoogleAuthError):
        return InfrastructureError(
            f"not allowed: {reason}", where=where, hint="grant BigQuery Data Viewer and Read Session User"
        )
    return TransientError(f"BigQuery does not answer: {reason}", where=where, hint="it is tried again")
