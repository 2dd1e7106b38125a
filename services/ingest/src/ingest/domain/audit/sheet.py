"""A table laid out for the audit: its days, its numbers, its texts, and which rows follow each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cbi_common.events.data import Severity
from ingest.domain.audit.facts import Facts
from ingest.domain.flaws import Flaw
from ingest.domain.rows import SHOWN, read_days

Floats = NDArray[np.float64]
Index = NDArray[np.int64]
Mask = NDArray[np.bool_]

LEAST_ROWS = 20
"""Rows without which nothing is said of a column's shape."""


@dataclass(frozen=True)
class Sheet:
    """One table.

    Attributes
    ----------
    name : str
    table : pa.Table
    facts : Facts
    """

    name: str
    table: pa.Table
    facts: Facts

    @cached_property
    def days(self) -> NDArray[np.datetime64]:
        """Day of each row, NaT where there is none."""
        date = self.facts.date
        if date is None:
            return np.full(self.table.num_rows, np.datetime64("NaT"), dtype="datetime64[D]")
        kind = self.table.schema.field(date).type
        if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
            return read_days(self.table, date)
        return np.full(self.table.num_rows, np.datetime64("NaT"), dtype="datetime64[D]")

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(self.table.column_names)

    @cached_property
    def numbers(self) -> dict[str, Floats]:
        """Observations, (n,) each, NaN where null; columns that series are read from are left to their own checks."""
        return {
            name: self.column(name)
            for name, kind in zip(self.table.schema.names, self.table.schema.types, strict=True)
            if _is_number(kind) and self.facts.about_values(name) and name not in self.facts.read
        }

    @cached_property
    def texts(self) -> dict[str, pa.ChunkedArray[Any]]:
        """Columns of text."""
        return {
            name: self.table[name]
            for name, kind in zip(self.table.schema.names, self.table.schema.types, strict=True)
            if pa.types.is_string(kind) or pa.types.is_large_string(kind)
        }

    @cached_property
    def groups(self) -> list[Index]:
        """Rows of one thing each (one symbol, one station), in the order of days, the first of each day."""
        return self._grouped(np.arange(self.table.num_rows))

    @cached_property
    def last_of_day(self) -> list[Index]:
        """The same with the last row of each day."""
        return self._grouped(-np.arange(self.table.num_rows))

    def _grouped(self, preference: Index) -> list[Index]:
        key = self.key_codes
        order = np.lexsort((preference, self.days, key))
        order = order[~np.isnat(self.days[order])]
        if not len(order):
            return [np.arange(self.table.num_rows)] if self.facts.date is None else []
        new_key = np.diff(key[order], prepend=key[order][0] - 1) != 0
        new_day = np.diff(self.days[order].astype(np.int64), prepend=-(2**40)) != 0
        single = order[new_key | new_day]
        starts = np.flatnonzero(np.diff(key[single], prepend=key[single][0] - 1) != 0)
        return np.split(single, starts[1:])

    @cached_property
    def key_codes(self) -> Index:
        """Return a number per row that is equal for rows of one thing."""
        codes = np.zeros(self.table.num_rows, dtype=np.int64)
        for name in self.facts.key:
            encoded = self.table[name].combine_chunks().dictionary_encode()
            own = np.nan_to_num(encoded.indices.to_numpy(zero_copy_only=False).astype(np.float64), nan=-1)
            codes = codes * (len(encoded.dictionary) + 1) + own.astype(np.int64) + 1
        return codes

    def column(self, name: str) -> Floats:
        """Return a column of numbers as (n,) float64, NaN where null."""
        found = pc.cast(self.table[name], pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        return np.asarray(found, dtype=np.float64)

    def flaw(
        self,
        check: str,
        where: Mask | Index,
        detail: str,
        *,
        columns: Sequence[str] = (),
        done: str = "",
        severity: Severity | None = None,
        count: int | None = None,
    ) -> list[Flaw]:
        """Return the flaw of some rows (a mask or row numbers) with the first of them, or none without rows."""
        rows: Index = np.flatnonzero(where) if where.dtype == bool else np.asarray(where, dtype=np.int64)
        if not len(rows):
            return []
        weight, usual = self.usual
        return [
            Flaw(
                check,
                severity or weight,
                len(rows) if count is None else count,
                detail,
                self._shown(rows, columns),
                tuple(columns),
                done or usual,
            )
        ]

    @property
    def usual(self) -> tuple[Severity, str]:
        """What a flaw of values leads to: a dataset leaves them out, and of other tables nobody reads these columns."""
        if self.facts.role == "dataset":
            return "repaired", "unknown to the models there"
        return "info", "nothing is read from it"

    def _shown(self, rows: Index, columns: Iterable[str]) -> tuple[dict[str, Any], ...]:
        first = rows[np.argsort(self.days[rows], kind="stable")][:SHOWN]
        names = [name for name in (self.facts.date, *self.facts.key, *columns) if name and name in self._names]
        part = self.table.select(list(dict.fromkeys(names))[:8]).take(first)
        return tuple({name: _json(value) for name, value in row.items()} for row in part.to_pylist())


def _json(value: Any) -> Any:
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int) else str(value)[:120]


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind)
    )
