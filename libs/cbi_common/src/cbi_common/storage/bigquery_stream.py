"""Rows of a BigQuery table as Arrow record batches, one at a time: memory holds one, however long the table is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pyarrow as pa
from google.api_core import exceptions
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import types

from cbi_common.core.errors import DataError, InfrastructureError
from cbi_common.storage.bigquery_project import Project
from cbi_common.storage.day_range import DayRange

_AGAIN = (
    exceptions.ServiceUnavailable,
    exceptions.InternalServerError,
    exceptions.Aborted,
    exceptions.ResourceExhausted,
    exceptions.GatewayTimeout,  # also a deadline of ours that has passed
)
_PAUSE_S = 0.5
_PAGE_ROWS = 50_000


@dataclass(frozen=True)
class Selection:
    """What is read of a table.

    Attributes
    ----------
    table : bigquery.TableReference
    columns : names, in the order of the answer
    whole : bool
        These are all columns of the table: none is named to BigQuery, which spares names that its API cannot spell.
    days : DayRange or None
    day_type : str or None
        BigQuery's type of the column that ``days`` names.
    """

    table: bigquery.TableReference
    columns: tuple[str, ...]
    whole: bool = False
    days: DayRange | None = None
    day_type: str | None = None


def stream(project: Project, selection: Selection) -> Iterator[pa.RecordBatch]:
    """Yield the selected rows in the order in which BigQuery keeps them.

    A read that stands still is given up after ``timeout_s``; one that is interrupted goes on where it was.

    Raises
    ------
    InfrastructureError
        When the Storage Read API is not permitted, with what to do; it is never replaced by REST in silence.
    """
    return _over_rest(project, selection) if project.place.over_rest else _over_storage(project, selection)


def stream_answer(project: Project, job: bigquery.QueryJob, columns: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
    """Yield the rows that a query found.

    BigQuery keeps them in a table of its own, which is read as any other; an emulator has none and is asked for pages.
    """
    if project.place.endpoint is None:
        yield from stream(project, Selection(job.destination, columns, whole=True))
        return
    rows = job.result(page_size=_PAGE_ROWS, job_retry=None, **project.call)
    for batch in rows.to_arrow_iterable(bqstorage_client=None):
        yield _ordered(batch, columns)


def quoted(name: str) -> str:
    """Return a column's name as it stands in BigQuery's SQL, where no value is ever written but days.

    Raises
    ------
    DataError
        For a name that would end its own quotes, which BigQuery gives no column.
    """
    if "`" in name or "\\" in name or not name.isprintable():
        raise DataError(f"column {name[:100]!r} cannot be named in a query", where="BigQuery", hint="rename it")
    return f"`{name}`"


def restriction(days: DayRange, kind: str) -> str:
    """Return the range as BigQuery's SQL over a column of type DATE, DATETIME or TIMESTAMP."""
    column = quoted(days.column)
    parts = [f"{column} IS NOT NULL"]
    if days.first is not None:
        parts.append(f"{column} >= {kind} '{days.first}'")
    if days.last is not None:
        parts.append(f"{column} < {kind} '{days.last + timedelta(days=1)}'")
    return " AND ".join(parts)


def _over_storage(project: Project, selection: Selection) -> Iterator[pa.RecordBatch]:
    options = types.ReadSession.TableReadOptions(selected_fields=[] if selection.whole else list(selection.columns))
    if selection.days is not None and selection.day_type is not None:
        options.row_restriction = restriction(selection.days, selection.day_type)
    wanted = types.ReadSession(
        table=selection.table.path.removeprefix("/"), data_format=types.DataFormat.ARROW, read_options=options
    )
    try:
        # One stream: several would come in another order each time.
        session = project.reader.create_read_session(
            parent=f"projects/{project.place.project}", read_session=wanted, max_stream_count=1, **project.call
        )
    except exceptions.Forbidden as error:
        raise InfrastructureError(
            f"the Storage Read API is not permitted: {str(error)[:120]}",
            where=str(selection.table),
            hint="grant roles/bigquery.readSessionUser, or read slowly with CBI_BIGQUERY_READ=rest",
        ) from error
    schema = pa.ipc.read_schema(pa.py_buffer(session.arrow_schema.serialized_schema))
    for part in session.streams:
        for message in _messages(project, part.name):
            body = pa.py_buffer(message.arrow_record_batch.serialized_record_batch)
            yield _ordered(pa.ipc.read_record_batch(body, schema), selection.columns)


def _messages(project: Project, name: str) -> Iterator[Any]:
    """Yield the answers of one stream; an attempt that brought something does not count as a failed one."""
    offset, last = 0, time.monotonic()
    while True:
        try:
            timeout_s = project.place.timeout_s / 2
            for message in project.reader.read_rows(read_stream=name, offset=offset, retry=None, timeout=timeout_s):
                offset += message.row_count
                yield message
                last = time.monotonic()  # however long the reader of this took
            return
        except _AGAIN:
            if time.monotonic() - last + _PAUSE_S > project.place.timeout_s / 2:
                raise
            time.sleep(_PAUSE_S)


def _over_rest(project: Project, selection: Selection) -> Iterator[pa.RecordBatch]:
    found = project.client.get_table(selection.table, **project.call)
    extra = [] if selection.days is None else [selection.days.column]
    wanted = [field for field in found.schema if field.name in (*selection.columns, *extra)]
    rows = project.client.list_rows(selection.table, selected_fields=wanted, page_size=_PAGE_ROWS, **project.call)
    for batch in rows.to_arrow_iterable(bqstorage_client=None):
        table = pa.Table.from_batches([batch])
        kept = table if selection.days is None else selection.days.of(table)
        for part in kept.to_batches():
            yield _ordered(part, selection.columns)


def _ordered(batch: pa.RecordBatch, columns: tuple[str, ...]) -> pa.RecordBatch:
    # Metadata of fields differs from one implementation of the API to another.
    return pa.RecordBatch.from_arrays([batch[name] for name in columns], names=list(columns))
