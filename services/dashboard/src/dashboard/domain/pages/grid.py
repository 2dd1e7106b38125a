"""Tables of a page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cbi_common.reporting.tables import Column, Table, columns
from dashboard.domain.pages.chrome import Traced

Cell = str | Traced
Row = tuple[Cell, ...]


@dataclass(frozen=True)
class Grid:
    """A table with a caption; the first cell of a row is its heading."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    note: tuple[str, ...] = ()


def grid(caption: str, names: Iterable[str], rows: Iterable[Row], *note: str) -> Grid:
    """Return a table; ``<`` before a column's name marks text, ``?`` what a phone leaves out."""
    return Grid(caption, columns(*names), tuple(rows), tuple(filter(None, note)))


def of_table(table: Table, source: str) -> Grid:
    """Return a table of the command line; every figure leads to ``source``."""
    rows = tuple(
        tuple(Traced(cell, source) if i and c.number and cell else cell for i, (c, cell) in enumerate(_pairs(table, r)))
        for r in table.rows
    )
    return Grid(table.title, table.columns, rows, tuple(filter(None, table.note.splitlines())))


def _pairs(table: Table, row: tuple[str, ...]) -> Iterable[tuple[Column, str]]:
    return zip(table.columns, row, strict=True)
