"""What reading some columns of a table costs where bytes are billed, told before a byte is read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

import pyarrow as pa

USD_PER_TIB = 6.25
"""BigQuery's list price of a TiB that an on-demand query processes (US). The Storage Read API costs less per byte, so a
sum at this price is an upper limit; regions, editions and the free first TiB of a month differ."""

_TIB = 2**40
_WIDE = 16


@runtime_checkable
class Billed(Protocol):
    """A warehouse that bills what it reads."""

    def stored_rows(self, table: str) -> int | None:
        """Return the rows that the table stores; None for a view."""

    def estimate(self, table: str, columns: tuple[str, ...]) -> int | None:
        """Return the bytes that reading these columns is billed for; None where nobody says."""


def column_bytes(schema: pa.Schema, rows: int, size: int) -> dict[str, int]:
    """Return the logical bytes of every column, by BigQuery's rules.

    A number, date or time takes 8 bytes, a decimal 16, a boolean 1. What is left of ``size`` belongs to the texts, in
    equal parts. Nulls take nothing: where the widths add up to more than ``size``, all are scaled down to it.

    Parameters
    ----------
    schema : pa.Schema
    rows : int
    size : int
        Logical bytes of the table; 0 when it is not stated, as by an emulator: texts then count for nothing.
    """
    fixed = {field.name: rows * _width(field.type) for field in schema}
    known = sum(fixed.values())
    if 0 < size < known:
        return {name: width * size // known for name, width in fixed.items()}
    texts = [name for name, width in fixed.items() if not width]
    each = (size - known) // len(texts) if size and texts else 0
    return {name: width or each for name, width in fixed.items()}


def cost_usd(bytes_read: Iterable[int], usd_per_tib: float) -> float:
    """Return the price of so many bytes in USD."""
    return sum(bytes_read) / _TIB * usd_per_tib


def _width(kind: pa.DataType) -> int:
    if pa.types.is_boolean(kind):
        return 1
    if pa.types.is_decimal(kind):
        return _WIDE
    return 8 if pa.types.is_primitive(kind) else 0
