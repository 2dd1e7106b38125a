"""What an injector gets and gives, and the few things that all of them do to a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Array = np.ndarray[Any, Any]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Place:
    """Where in the warehouse a flaw is put: a table, its date column, and the columns it may spoil, the first first."""

    table: str
    date: str
    columns: tuple[str, ...] = ()

    @property
    def column(self) -> str:
        """The first column."""
        return self.columns[0]


@dataclass(frozen=True)
class Spoiled:
    """A table with a flaw in it.

    Attributes
    ----------
    table : pa.Table
    columns : tuple[str, ...]
        Those that are wrong now; none when whole rows are.
    count : int or None
        Rows that are wrong. None for a flaw of whole columns, and where a check may fairly count otherwise.
    """

    table: pa.Table
    columns: tuple[str, ...] = ()
    count: int | None = None


Injector = Callable[[pa.Table, Place, int, np.random.Generator], Spoiled]
"""Table, place, intensity (1 slight, 2 plain, 3 gross) and generator to the spoiled table."""

FEW = {1: 3, 2: 12, 3: 60}
"""Rows that a flaw of single rows spoils at each intensity."""

RUN = {1: 25, 2: 80, 3: 250}
"""Rows that a flaw of a whole stretch spoils."""


def values(table: pa.Table, column: str) -> Array:
    """Return a writable copy of a column; numbers as float64 with NaN for null, days as datetime64[D]."""
    found = table[column].to_numpy()
    if np.issubdtype(found.dtype, np.number):
        return found.astype(np.float64)
    return found.astype("datetime64[D]") if np.issubdtype(found.dtype, np.datetime64) else found.copy()


def put(table: pa.Table, column: str, content: Array | pa.Array[Any]) -> pa.Table:
    """Return the table with a column replaced, or appended when it has none of this name."""
    made = content if isinstance(content, pa.Array) else pa.array(content, from_pandas=True)
    at = table.schema.get_field_index(column)
    return table.append_column(column, made) if at < 0 else table.set_column(at, column, made)


def some(table: pa.Table, count: int, rng: np.random.Generator) -> Rows:
    """Return ``count`` row numbers in ascending order, none of the first tenth."""
    later = np.arange(table.num_rows // 10, table.num_rows)
    return np.sort(rng.choice(later, size=min(count, len(later)), replace=False)).astype(np.int64)


def with_rows(table: pa.Table, more: pa.Table, date: str) -> pa.Table:
    """Return both tables as one, ascending by date."""
    return pa.concat_tables([table, more.cast(table.schema)]).sort_by(date)
