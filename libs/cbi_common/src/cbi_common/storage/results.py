"""Where results are kept, each event once: a folder of Parquet files by day, or a BigQuery dataset."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from datetime import date
from typing import Protocol
from urllib.parse import urlparse

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from cbi_common.core.errors import InfrastructureError, UsageError
from cbi_common.core.identity import digest
from cbi_common.storage.bigquery_url import is_bigquery
from cbi_common.storage.result_rows import Kind
from cbi_common.storage.whole_files import write_whole

_DAY = "day="


class ResultsStore(Protocol):
    """Tables of results; an event that is recorded again changes nothing."""

    @property
    def label(self) -> str:
        """Where it is, in words."""

    def prepare(self) -> None:
        """Make sure that results can be recorded, before any work is done for them."""

    def record(self, kind: Kind, event_id: str, rows: pa.Table) -> None:
        """Append the rows of an event unless it is there already."""

    def read(self, kind: Kind, since: date | None = None) -> pa.Table:
        """Return the rows of days from ``since`` on, in the order of day, time and event."""


class FolderResults:
    """``KIND/day=YYYY-MM-DD/EVENT.parquet`` under a folder or any fsspec URL.

    A file is written whole under a name that follows from the event, so there cannot be two of one event.
    """

    def __init__(self, url: str) -> None:
        self.label = url
        self._local = urlparse(url).scheme in ("", "file")
        try:
            # A listing that is remembered hides what other processes have stored since.
            self._fs, root = fsspec.core.url_to_fs(url, use_listings_cache=False)
        except (ValueError, ImportError) as error:
            hint = "give a folder, a URL such as gs://bucket/results, or bigquery://PROJECT"
            raise UsageError(str(error), where=f"results {url}", hint=hint) from error
        self._root = os.path.abspath(root) if self._local else root.rstrip("/")

    def prepare(self) -> None:
        """Do nothing: folders are made when the first result comes."""

    def record(self, kind: Kind, event_id: str, rows: pa.Table) -> None:
        """Append the rows of an event unless it is there already.

        Raises
        ------
        InfrastructureError
            When the folder cannot be written.
        """
        name = f"{digest(event_id)[:40]}.parquet"
        # On whatever day: an event that is announced again later keeps its id and not its time.
        if not rows.num_rows or self._fs.glob(f"{self._root}/{kind.name}/{_DAY}*/{name}"):
            return
        buffer = io.BytesIO()
        pq.write_table(rows, buffer, compression="zstd")
        try:
            self._write(f"{self._root}/{kind.name}/{_DAY}{rows['day'][0].as_py()}/{name}", buffer.getvalue())
        except OSError as error:
            hint = "check the folder, its permissions and the disk, or set CBI_RESULTS"
            what = f"cannot write: {error.strerror or error}"
            raise InfrastructureError(what, where=f"results {self.label}", hint=hint) from error

    def read(self, kind: Kind, since: date | None = None) -> pa.Table:
        """Return the rows of days from ``since`` on; files of an earlier version lack columns, which are null.

        Raises
        ------
        InfrastructureError
            When a file is damaged.
        """
        first = "" if since is None else f"{_DAY}{since}"
        paths = sorted(self._fs.glob(f"{self._root}/{kind.name}/{_DAY}*/*.parquet"))
        parts = [self._rows(path) for path in paths if path.split("/")[-2] >= first]
        return in_order(kind, parts)

    def _rows(self, path: str) -> pa.Table:
        try:
            # As a file: a path with "day=" in it would add the day as a column of another type.
            return pq.read_table(io.BytesIO(self._fs.cat_file(path)))
        except (pa.ArrowException, OSError) as error:
            what = f"cannot be read: {str(error).splitlines()[0][:120]}"
            hint = "delete the file; `cbi trace` finds its event"
            raise InfrastructureError(what, where=path, hint=hint) from error

    def _write(self, path: str, data: bytes) -> None:
        if self._local:
            write_whole(path, data)
        else:
            self._fs.pipe_file(path, data)  # object stores publish a whole object or none


def in_order(kind: Kind, parts: Sequence[pa.Table]) -> pa.Table:
    """Return parts as one table in the order of day, time and event; columns that a part lacks are null."""
    whole = pa.concat_tables([kind.schema.empty_table(), *parts], promote_options="default").select(kind.schema.names)
    return whole.sort_by([("day", "ascending"), ("time", "ascending"), ("event_id", "ascending")])


def open_results(url: str) -> ResultsStore:
    """Open a folder, a URL of fsspec, or ``bigquery://PROJECT/DATASET``.

    Raises
    ------
    UsageError
        When there is no such store.
    InfrastructureError
        When BigQuery has no credentials.
    """
    if is_bigquery(url):
        from cbi_common.storage.results_bigquery import BigQueryResults

        return BigQueryResults(url)
    return FolderResults(url)
