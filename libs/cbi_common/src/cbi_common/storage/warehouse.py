"""Where the tables come from: a folder of Parquet files, BigQuery, or the simulated market; all give Arrow."""

from __future__ import annotations

import hashlib
import re
from functools import cached_property
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from cbi_common.core.errors import DataError, UsageError
from cbi_common.storage.day_range import DayRange, require_days

__all__ = [
    "SIMULATED_MARK",
    "TABLE_NAME",
    "DayRange",
    "FolderWarehouse",
    "Warehouse",
    "chosen",
    "open_warehouse",
    "require",
    "require_columns",
]

TABLE_NAME = re.compile(r"[A-Za-z0-9_]+\.[A-Za-z0-9_]+")
SIMULATED_MARK = b"cbi.simulated"
"""Key in the schema metadata of every Parquet table that `cbi simulate` writes."""

_SEED = 7
_MOST_VALUES = 200_000_000
_UNREADABLE = (pa.ArrowException, OSError, UnicodeDecodeError)
"""What Arrow raises for a file that is none; the last for names that are no text."""


class Warehouse(Protocol):
    """Tables by the name ``DATASET.TABLE``.

    Every method raises `DataError` for a table that does not exist or cannot be read.
    """

    @property
    def url(self) -> str:
        """Where it is, as `open_warehouse` takes it."""

    @property
    def label(self) -> str:
        """What events and pages call it; holds no path."""

    @property
    def simulated(self) -> bool:
        """Whether the market is made up: everything made from it is marked."""

    def tables(self) -> tuple[str, ...]:
        """Return the names of all tables."""

    def schema(self, table: str) -> pa.Schema:
        """Return names and types of the columns."""

    def rows(self, table: str) -> int:
        """Return the number of rows without reading them."""

    def size(self, table: str) -> int:
        """Return the bytes that the table takes where it is."""

    def read(self, table: str, columns: tuple[str, ...] | None = None, *, days: DayRange | None = None) -> pa.Table:
        """Return a table without schema metadata: the named columns, and the rows of ``days``, which needs no column.

        Nothing else is read where the store allows it.
        """

    def fingerprint(self, table: str) -> str:
        """Return a SHA-256 that changes when the content of the table does."""


class FolderWarehouse:
    """A folder of ``DATASET.TABLE.parquet`` files.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    UsageError
        When the folder does not exist or holds no such file.
    """

    def __init__(self, folder: Path) -> None:
        self.url, self.label = str(folder), folder.resolve().name
        where = f"warehouse {folder}"
        if not folder.is_dir():
            raise UsageError("no such folder", where=where, hint="give a folder of DATASET.TABLE.parquet files")
        # A link may lead elsewhere, as to another disk; what is no file (a pipe) would be waited for without end.
        found = (f for f in sorted(folder.glob("*.parquet")) if TABLE_NAME.fullmatch(f.stem) and f.is_file())
        self._files = {f.stem: f for f in found}
        if not self._files:
            raise UsageError("no tables in the folder", where=where, hint="put DATASET.TABLE.parquet files there")

    @cached_property
    def simulated(self) -> bool:
        """Whether any of the tables bears the mark of the simulated market."""
        return any(_is_marked(path) for path in self._files.values())

    def tables(self) -> tuple[str, ...]:
        """Return the names of all tables."""
        return tuple(self._files)

    def schema(self, table: str) -> pa.Schema:
        """Return names and types of the columns."""
        return self._open(table).schema_arrow.remove_metadata()

    def rows(self, table: str) -> int:
        """Return the number of rows, read from the file's footer."""
        rows: int = self._open(table).metadata.num_rows
        return rows

    def size(self, table: str) -> int:
        """Return the bytes of the file."""
        return self._path(table).stat().st_size

    def read(self, table: str, columns: tuple[str, ...] | None = None, *, days: DayRange | None = None) -> pa.Table:
        """Return a table, or the named columns of it, or the rows of ``days``.

        Schema metadata is left out: pandas' part of it names types such as ``dbdate`` that pandas itself refuses. Row
        groups that lie outside ``days`` by their statistics are not read.
        """
        file, names = self._open(table), None if columns is None else list(columns)
        require(table, file.schema_arrow, columns, days)
        _require_bearable(table, file, names)
        try:
            if days is None:
                found = file.read(columns=names)
            elif file.num_row_groups > 1:
                found = self._scan(table, file.schema_arrow, names, days)
            else:  # there is nothing to leave out, and importing the scanner takes longer than reading
                read = file.read(columns=None if names is None else list(dict.fromkeys((*names, days.column))))
                found = days.of(read) if names is None else days.of(read).select(names)
        except _UNREADABLE as error:
            raise _unreadable(table, error) from error
        return found.replace_schema_metadata(None)

    def _scan(self, table: str, schema: pa.Schema, names: list[str] | None, days: DayRange) -> pa.Table:
        from pyarrow.dataset import dataset

        within = days.expression(schema.field(days.column).type)
        return dataset(self._path(table), format="parquet").to_table(names, within)

    def fingerprint(self, table: str) -> str:
        """Return the SHA-256 of the file."""
        with self._path(table).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _open(self, table: str) -> pq.ParquetFile:
        path = self._path(table)
        try:
            file = pq.ParquetFile(path)
            assert file.schema_arrow is not None  # a footer whose types make no sense shows here
        except _UNREADABLE as error:
            raise _unreadable(table, error) from error
        return file

    def _path(self, table: str) -> Path:
        # Names are looked up in the listing and never joined to a path: no name can lead out of the folder.
        found = self._files.get(table)
        if found is None:
            raise DataError("no such table", where=table[:100], hint=f"`cbi quality` lists those of {self.label}")
        return found


def _is_marked(path: Path) -> bool:
    try:
        return SIMULATED_MARK in (pq.read_schema(path).metadata or {})
    except _UNREADABLE:
        return False  # what cannot be read is refused when it is asked for


def _require_bearable(table: str, file: pq.ParquetFile, names: list[str] | None) -> None:
    """Refuse what a small file can claim and no memory holds: a billion equal values take a few bytes in Parquet."""
    about = file.metadata
    rows = max(about.num_rows, sum(about.row_group(i).num_rows for i in range(about.num_row_groups)))
    wide = about.num_columns if names is None else len(names)
    if rows * wide > _MOST_VALUES:
        what = f"{rows:,} rows of {wide} columns are more than one read takes ({_MOST_VALUES:,} values)"
        raise DataError(what, where=table, hint="ask for fewer columns, or split the table")


def require_columns(table: str, schema: pa.Schema, columns: tuple[str, ...]) -> None:
    """Refuse columns that ``table`` does not have.

    Raises
    ------
    DataError
        Naming the table, the missing columns and those it has.
    """
    missing = [column for column in columns if column not in schema.names]
    if missing:
        names = ", ".join(schema.names[:20]) + (" …" if len(schema.names) > 20 else "")
        raise DataError(f"no column {', '.join(map(repr, missing))}", where=table, hint=f"it has {names}")


def require(table: str, schema: pa.Schema, columns: tuple[str, ...] | None, days: DayRange | None) -> None:
    """Refuse what ``table`` does not have: columns, or days in the column that a range names.

    Raises
    ------
    DataError
    """
    require_columns(table, schema, (*(columns or ()), *([] if days is None else [days.column])))
    if days is not None:
        require_days(table, schema, days)


def chosen(name: str, table: pa.Table, columns: tuple[str, ...] | None, days: DayRange | None) -> pa.Table:
    """Return the columns and days of a table that is at hand."""
    require(name, table.schema, columns, days)
    rows = table if days is None else days.of(table)
    return rows if columns is None else rows.select(list(columns))


def open_warehouse(url: str, seed: int = _SEED) -> Warehouse:
    """Open ``simulated[?sessions=…&seed=…]``, ``arch``, ``bigquery://PROJECT``, or a folder.

    Parameters
    ----------
    url : str
    seed : int
        Seed of the simulated market unless the URL names one.

    Raises
    ------
    UsageError
        When there is no such warehouse.
    InfrastructureError
        When BigQuery cannot be reached or has no credentials.
    """
    if url.split("?", 1)[0] == "simulated":
        from cbi_common.storage.simulated import SimulatedWarehouse

        return SimulatedWarehouse(url, seed)
    if url == "arch":
        from cbi_common.storage.warehouse_arch import ArchWarehouse

        return ArchWarehouse()
    if url.startswith("bigquery://"):
        from cbi_common.storage.warehouse_bigquery import BigQueryWarehouse

        return BigQueryWarehouse(url)
    if "://" in url:
        hint = "use simulated, arch, a folder, or bigquery://PROJECT"
        raise UsageError("no such kind of warehouse", where=url, hint=hint)
    return FolderWarehouse(Path(url))


def _unreadable(table: str, error: Exception) -> DataError:
    reason = str(error).split("\n", 1)[0][:160]
    return DataError(
        f"cannot be read: {reason}", where=table, hint="the file is truncated or no Parquet: copy it again"
    )
