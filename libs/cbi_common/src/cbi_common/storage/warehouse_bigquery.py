"""Tables of a BigQuery project, read over the Storage Read API into Arrow."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import pyarrow as pa
from google.cloud import bigquery

from cbi_common.core.errors import DataError, TransientError, UsageError
from cbi_common.core.identity import digest
from cbi_common.storage.bigquery_project import Project
from cbi_common.storage.bigquery_stream import Selection, quoted, restriction, stream, stream_answer
from cbi_common.storage.bigquery_url import RESULTS_DATASET, RESULTS_LABEL, parse_place
from cbi_common.storage.day_range import DayRange
from cbi_common.storage.read_cost import column_bytes
from cbi_common.storage.warehouse import TABLE_NAME, require

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
_STORES_ROWS = ("TABLE", "SNAPSHOT", "CLONE")

_CONTENT = (
    "SELECT COUNT(*) AS n, CAST(BIT_XOR(h) AS STRING) AS x, CAST(SUM(CAST(h AS BIGNUMERIC)) AS STRING) AS s "
    "FROM (SELECT FARM_FINGERPRINT(TO_JSON_STRING(t)) AS h FROM {table} AS t)"
)


class BigQueryWarehouse:
    """Tables and views of a BigQuery project, less the dataset that results are written to.

    What BigQuery says of a table is asked once and holds for as long as the object lives; a table that changes while
    it is read is an error, or its content would be stored under the fingerprint of another.

    Parameters
    ----------
    url : str
        ``bigquery://PROJECT``, with the parameters that `Place` describes.

    Raises
    ------
    UsageError
        For a URL that names no project.
    InfrastructureError
        When the standard Google chain finds no credentials.
    """

    simulated = False

    def __init__(self, url: str) -> None:
        place = parse_place(url)
        if place.dataset:
            hint = "write bigquery://PROJECT: tables are called DATASET.TABLE"
            raise UsageError("a dataset is no warehouse", where=f"warehouse {url}", hint=hint)
        self.url, self.label = url, place.label
        self._project = Project(place)
        self._described: dict[str, bigquery.Table] = {}
        self._counted: dict[str, tuple[int, str]] = {}

    def tables(self) -> tuple[str, ...]:
        """Return the names of all tables and views."""
        return self._listing

    @cached_property
    def _listing(self) -> tuple[str, ...]:
        client, call = self._project.client, self._project.call
        with self._project.translated(self.label):
            names = [
                f"{dataset.dataset_id}.{table.table_id}"
                for dataset in client.list_datasets(**call)
                if dataset.dataset_id != RESULTS_DATASET and dataset.labels.get("cbi") != RESULTS_LABEL
                for table in client.list_tables(dataset.reference, **call)
            ]
        return tuple(sorted(name for name in names if TABLE_NAME.fullmatch(name)))

    def schema(self, table: str) -> pa.Schema:
        """Return names and types of the columns."""
        return pa.schema([(field.name, _arrow_type(field)) for field in self._describe(table).schema])

    def rows(self, table: str) -> int:
        """Return the number of rows; those of a view are counted by a query."""
        found = self._describe(table)
        return self._content(table)[0] if not _stores_rows(found) else int(found.num_rows or 0)

    def size(self, table: str) -> int:
        """Return the logical bytes, which is what BigQuery bills; 0 for a view, which stores none."""
        return int(self._describe(table).num_bytes or 0)

    def read(self, table: str, columns: tuple[str, ...] | None = None, *, days: DayRange | None = None) -> pa.Table:
        """Return a table, or the named columns of it, or the rows of ``days``; only these are read, and billed."""
        schema = self.schema(table)
        names = tuple(schema.names if columns is None else columns)
        batches = list(self.batches(table, names, days=days))
        empty = pa.schema([schema.field(name) for name in names])
        return pa.Table.from_batches(batches, None if batches else empty)

    def batches(
        self, table: str, columns: tuple[str, ...], *, days: DayRange | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield what `read` returns in record batches of 10 MiB at most; one of them is in memory at a time."""
        found = self._describe(table)
        require(table, self.schema(table), columns, days)
        with self._project.translated(table):
            if not _stores_rows(found):
                yield from stream_answer(self._project, self._asked(found, table, columns, days), columns)
                return
            kind = None if days is None else _kind(found, days)
            whole = len(set(columns)) == len(found.schema)
            yield from stream(self._project, Selection(found.reference, columns, whole, days, kind))
            now = self._project.client.get_table(found.reference, **self._project.call)
            if _state(now) != _state(found):
                raise TransientError("changed while it was read", where=table, hint="it is tried again")

    def stored_rows(self, table: str) -> int | None:
        """Return the rows that a table stores; None for a view, whose rows only a query could count."""
        found = self._describe(table)
        return int(found.num_rows or 0) if _stores_rows(found) else None

    def estimate(self, table: str, columns: tuple[str, ...]) -> int | None:
        """Return the bytes that reading these columns is billed for, before it is done.

        A table's share follows from its metadata; of a view BigQuery tells it in a dry run (an emulator does not).
        """
        found, schema = self._describe(table), self.schema(table)
        require(table, schema, columns, None)
        if _stores_rows(found):
            each = column_bytes(schema, self.rows(table), self.size(table))
            return sum(each[name] for name in columns)
        with self._project.translated(table):
            return self._project.dry_run(self._select(table, columns)).total_bytes_processed or None

    def fingerprint(self, table: str) -> str:
        """Return a SHA-256 that changes when the content of the table does.

        A table's metadata (``etag``, rows, bytes, time of change) say so at no cost. Those of a view do not, nor those
        of a table with rows in the streaming buffer, nor an emulator's: there a query digests the rows, in any order.
        """
        found = self._describe(table)
        schema = [(field.name, field.field_type, field.mode) for field in found.schema]
        if _stores_rows(found) and not found.streaming_buffer and self._project.place.endpoint is None:
            return digest(self.label, table, schema, *_state(found))
        return digest(self.label, table, schema, *self._content(table))

    def _content(self, table: str) -> tuple[int, str]:
        """Count the rows and digest them; the sum tells rows apart that come twice, which cancel out in the XOR."""
        if table not in self._counted:
            self._describe(table)
            sql = _CONTENT.format(table=self._quoted(table))
            with self._project.translated(table):
                (row,) = self._project.query(sql).result(**self._project.call)
            self._counted[table] = (int(row["n"]), f"{row['x']}/{row['s']}")
        return self._counted[table]

    def _asked(
        self, found: bigquery.Table, table: str, columns: tuple[str, ...], days: DayRange | None
    ) -> bigquery.QueryJob:
        where = "" if days is None else f" WHERE {restriction(days, _kind(found, days))}"
        return self._project.query(self._select(table, columns) + where)

    def _select(self, table: str, columns: tuple[str, ...]) -> str:
        names = ", ".join(map(quoted, columns))
        return f"SELECT {names} FROM {self._quoted(table)}"  # noqa: S608 - names come from the schema

    def _quoted(self, table: str) -> str:
        return f"`{self._project.place.project}.{table}`"

    def _describe(self, table: str) -> bigquery.Table:
        if not TABLE_NAME.fullmatch(table):
            raise DataError("not a table name", where=table[:100], hint="write DATASET.TABLE")
        if table not in self._described:
            with self._project.translated(table):
                found = self._project.client.get_table(f"{self._project.place.project}.{table}", **self._project.call)
                if not found.schema and not _stores_rows(found):
                    found.schema = self._project.dry_run(f"SELECT * FROM {self._quoted(table)}").schema  # noqa: S608
            self._described[table] = found
        return self._described[table]


def _stores_rows(found: bigquery.Table) -> bool:
    return found.table_type in _STORES_ROWS


def _kind(found: bigquery.Table, days: DayRange) -> str:
    return str(next(field.field_type for field in found.schema if field.name == days.column))


def _state(found: bigquery.Table) -> tuple[str, int, int, str]:
    return str(found.etag), int(found.num_rows or 0), int(found.num_bytes or 0), str(found.modified)


def _arrow_type(field: bigquery.SchemaField) -> pa.DataType:
    if field.field_type in ("RECORD", "STRUCT"):
        single: pa.DataType = pa.struct([(inner.name, _arrow_type(inner)) for inner in field.fields])
    else:
        single = _ARROW.get(field.field_type, pa.string())
    return pa.list_(single) if field.mode == "REPEATED" else single
