"""The daily series that ship inside the arch package, as a warehouse: real data on any machine."""

from __future__ import annotations

import hashlib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pyarrow as pa
from pyarrow import csv

from cbi_common.core.errors import DataError, UsageError
from cbi_common.storage.warehouse import DayRange, chosen

_SERIES = ("sp500", "vix", "wti")
_DATE = "Date"


class ArchWarehouse:
    """Tables ``arch.wti`` (1986-2019), ``arch.vix`` (2014-2019) and ``arch.sp500`` (1999-2018) of FRED and Yahoo.

    The compressed CSV files are read where the package lies. `arch.data` reads them too, but importing it takes four
    seconds.

    Raises
    ------
    UsageError
        When arch is not installed, or has no such files.
    """

    url = label = "arch"
    simulated = False

    def __init__(self) -> None:
        try:
            files = distribution("arch").files or []
        except PackageNotFoundError:
            raise UsageError("arch is not installed", where="warehouse arch", hint="pip install arch") from None
        found = {file.name: Path(str(file.locate())) for file in files if file.match("arch/data/*/*.csv.gz")}
        missing = [name for name in _SERIES if f"{name}.csv.gz" not in found]
        if missing:
            raise UsageError(f"no {', '.join(missing)}", where="warehouse arch", hint='pip install "arch>=7"')
        self._files = {f"arch.{name}": found[f"{name}.csv.gz"] for name in _SERIES}
        self._tables: dict[str, pa.Table] = {}

    def tables(self) -> tuple[str, ...]:
        """Return the names of all tables."""
        return tuple(self._files)

    def schema(self, table: str) -> pa.Schema:
        """Return names and types of the columns."""
        return self._table(table).schema

    def rows(self, table: str) -> int:
        """Return the number of rows."""
        return self._table(table).num_rows

    def read(self, table: str, columns: tuple[str, ...] | None = None, *, days: DayRange | None = None) -> pa.Table:
        """Return a table, or the named columns of it, or the rows of ``days``."""
        return chosen(table, self._table(table), columns, days)

    def size(self, table: str) -> int:
        """Return the bytes of the file."""
        return self._file(table).stat().st_size

    def fingerprint(self, table: str) -> str:
        """Return the SHA-256 of the file."""
        return hashlib.sha256(self._file(table).read_bytes()).hexdigest()

    def _table(self, table: str) -> pa.Table:
        if table not in self._tables:
            self._tables[table] = _read(self._file(table))
        return self._tables[table]

    def _file(self, table: str) -> Path:
        if table not in self._files:
            raise DataError("no such table", where=table[:100], hint=f"arch has {', '.join(self._files)}")
        return self._files[table]


def _read(file: Path) -> pa.Table:
    options = csv.ConvertOptions(
        column_types={_DATE: pa.timestamp("s")},
        timestamp_parsers=["%m/%d/%Y"],
        null_values=["", "."],  # FRED writes a dot on a day without a price
    )
    table = csv.read_csv(file, convert_options=options)
    return table.set_column(0, _DATE, table[_DATE].cast(pa.date32()))
