"""Which days of a table are read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cbi_common.core.errors import DataError


@dataclass(frozen=True)
class DayRange:
    """Rows by the day in one column, both ends included; a row without a day is in no range.

    Attributes
    ----------
    column : str
        Holds dates, or timestamps whose time of day (UTC) is cut off.
    first, last : date or None
        None: no limit on that side.
    """

    column: str
    first: date | None = None
    last: date | None = None

    def expression(self, kind: pa.DataType) -> pc.Expression:
        """Return the range as a filter of a scan; the column has this type.

        >>> DayRange("day", last=date(2024, 5, 31)).expression(pa.date32())
        <pyarrow.compute.Expression (is_valid(day) and (day < 2024-06-01))>
        """
        found: pc.Expression = self._within(pc.field(self.column), kind)
        return found

    def of(self, table: pa.Table) -> pa.Table:
        """Return the rows of the range, in their order."""
        days = table[self.column]
        return table.filter(self._within(days, days.type))

    def _within(self, days: Any, kind: pa.DataType) -> Any:
        # The functions of pyarrow take a column of a scan or one at hand.
        within = pc.is_valid(days)
        if self.first is not None:
            within = pc.and_kleene(within, pc.greater_equal(days, _start(self.first, kind)))
        if self.last is not None:
            within = pc.and_kleene(within, pc.less(days, _start(self.last + timedelta(days=1), kind)))
        return within


def holds_days(kind: pa.DataType) -> bool:
    """Return whether a column of this type can be read by days."""
    return pa.types.is_date(kind) or pa.types.is_timestamp(kind)


def days_until(schema: pa.Schema, column: str, last: date) -> DayRange | None:
    """Return the range up to a day, or None where the table has no such column of days: whoever reads it says so."""
    known = column in schema.names and holds_days(schema.field(column).type)
    return DayRange(column, last=last) if known else None


def require_days(table: str, schema: pa.Schema, days: DayRange) -> None:
    """Refuse a range over a column that holds no days.

    Raises
    ------
    DataError
        Naming the table and what the column holds.
    """
    kind = schema.field(days.column).type
    if not holds_days(kind):
        hint = "read by a column of dates or timestamps"
        raise DataError(f"column {days.column!r} holds {kind}, not days", where=table, hint=hint)


def _start(day: date, kind: pa.DataType) -> Any:
    if pa.types.is_timestamp(kind):
        midnight = datetime.combine(day, time(), UTC if kind.tz else None)
        return pa.scalar(midnight, pa.timestamp("us", kind.tz))
    return pa.scalar(day, kind)
