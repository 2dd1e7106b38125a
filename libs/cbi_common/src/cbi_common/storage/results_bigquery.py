"""Results in a BigQuery dataset: tables partitioned by day, and each event in them once (ADR 0009)."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pyarrow as pa
from google.api_core import exceptions
from google.cloud import bigquery

from cbi_common.core.errors import InfrastructureError, UsageError
from cbi_common.core.identity import digest
from cbi_common.storage.bigquery_project import Project
from cbi_common.storage.bigquery_stream import Selection, stream
from cbi_common.storage.bigquery_url import RESULTS_LABEL, parse_place
from cbi_common.storage.day_range import DayRange
from cbi_common.storage.result_rows import KINDS, Kind
from cbi_common.storage.results import in_order

_TYPES = {
    pa.string(): "STRING",
    pa.date32(): "DATE",
    pa.timestamp("us", "UTC"): "TIMESTAMP",
    pa.bool_(): "BOOL",
    pa.int64(): "INT64",
    pa.float64(): "FLOAT64",
}
_MERGE = (
    "MERGE `{table}` AS kept USING (SELECT {values} FROM UNNEST(JSON_QUERY_ARRAY(@rows)) AS r) AS fresh "
    "ON kept.event_id = fresh.event_id WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({names})"
)
_ATTEMPTS = 5


class BigQueryResults:
    """A dataset of results; it and its tables are made when they do not exist.

    Parameters
    ----------
    url : str
        ``bigquery://PROJECT/DATASET``.

    Raises
    ------
    UsageError
        For a URL that names no dataset.
    InfrastructureError
        When the standard Google chain finds no credentials.
    """

    def __init__(self, url: str) -> None:
        place = parse_place(url)
        if not place.dataset:
            raise UsageError("no dataset in the URL", where=f"results {url}", hint="write bigquery://PROJECT/DATASET")
        self.label = place.label
        self._project = Project(place)
        self._dataset = f"{place.project}.{place.dataset}"

    def prepare(self) -> None:
        """Make the dataset and its tables, so that a missing permission shows before any work is done.

        Raises
        ------
        InfrastructureError
            When the account may not write there.
        """
        for kind in KINDS.values():
            self._table(kind)

    def record(self, kind: Kind, event_id: str, rows: pa.Table) -> None:
        """Append the rows of an event unless it is there already.

        One MERGE, which inserts all rows or none and nothing of an event that is there. It runs under a job id that
        follows from the event: of two that are started at the same time BigQuery refuses one.
        """
        if not rows.num_rows:
            return
        table = self._table(kind)
        # A table that was dropped and made again has none of what earlier jobs inserted.
        identity = digest(f"{table.reference}", str(table.created), event_id)[:40]
        with self._project.translated(str(table.reference)):
            for attempt in range(_ATTEMPTS):
                job = self._started(kind, rows, f"cbi-{kind.name}-{identity}-{attempt}")
                self._project.wait(job)
                if job.error_result is None:
                    return
            self._project.require_success(job)

    def read(self, kind: Kind, since: date | None = None) -> pa.Table:
        """Return the rows of days from ``since`` on; only their partitions are read.

        Nothing is made: where there is no table there are no rows, and a column that it lacks is null.
        """
        name = f"{self._dataset}.{kind.name}"
        with self._project.translated(name):
            try:
                table = self._project.client.get_table(name, **self._project.call)
            except exceptions.NotFound:
                return kind.schema.empty_table()
            known = {field.name for field in table.schema}
            columns = tuple(column for column in kind.schema.names if column in known)
            days = None if since is None else DayRange("day", first=since)
            batches = list(stream(self._project, Selection(table.reference, columns, days=days, day_type="DATE")))
        return in_order(kind, [pa.Table.from_batches(batches)] if batches else [])

    def _started(self, kind: Kind, rows: pa.Table, job_id: str) -> bigquery.QueryJob:
        names = kind.schema.names
        values = ", ".join(_value(name, kind.schema.field(name).type) for name in names)
        sql = _MERGE.format(
            table=f"{self._dataset}.{kind.name}", names=", ".join(f"`{n}`" for n in names), values=values
        )
        parameter = bigquery.ScalarQueryParameter("rows", "STRING", json.dumps(_plain(rows)))
        config = bigquery.QueryJobConfig(query_parameters=[parameter])
        client, call = self._project.client, self._project.call
        try:
            return client.query(sql, job_config=config, job_id=job_id, job_retry=None, **call)
        except exceptions.Conflict:
            return client.get_job(job_id, **call)

    def _table(self, kind: Kind) -> bigquery.Table:
        """Return the table, made or given the columns it lacks."""
        name = f"{self._dataset}.{kind.name}"
        client, call = self._project.client, self._project.call
        fields = [bigquery.SchemaField(f.name, _TYPES[f.type]) for f in kind.schema]
        with self._project.translated(name):
            try:
                table = client.get_table(name, **call)
            except exceptions.NotFound:
                return self._made(name, fields, kind)
            lacking = [field for field in fields if field.name not in {known.name for known in table.schema}]
            if lacking:
                table.schema = [*table.schema, *lacking]
                table = client.update_table(table, ["schema"], **call)
        return table

    def _made(self, name: str, fields: list[bigquery.SchemaField], kind: Kind) -> bigquery.Table:
        client, call = self._project.client, self._project.call
        dataset = bigquery.Dataset(self._dataset)
        dataset.labels = {"cbi": RESULTS_LABEL}  # a warehouse on the same project leaves it out
        table = bigquery.Table(name, fields)
        table.time_partitioning = bigquery.TimePartitioning(field="day")
        table.clustering_fields = list(kind.clustered)
        try:
            client.create_dataset(dataset, exists_ok=True, **call)
            return client.create_table(table, exists_ok=True, **call)
        except exceptions.Forbidden as error:
            project, _, own = self._dataset.partition(".")
            hint = f"`bq mk --dataset {project}:{own}` and grant Data Editor on it, or set CBI_RESULTS to a folder"
            raise InfrastructureError("results cannot be kept there", where=self.label, hint=hint) from error


def _plain(rows: pa.Table) -> list[dict[str, Any]]:
    texts = {name: pa.string() for name in ("day", "time", "target_date")}
    schema = pa.schema([(field.name, texts.get(field.name, field.type)) for field in rows.schema])
    found: list[dict[str, Any]] = rows.cast(schema).to_pylist()
    return found


def _value(name: str, kind: pa.DataType) -> str:
    text = f"JSON_VALUE(r, '$.{name}')"
    return f"{text} AS `{name}`" if kind == pa.string() else f"CAST({text} AS {_TYPES[kind]}) AS `{name}`"
