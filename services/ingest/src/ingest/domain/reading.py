"""What one pass reads of a table: which columns, up to which day, and what for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import pyarrow as pa

from cbi_common.markets.spec import Market, SeriesSpec
from ingest.domain.audit.facts import ORIGINS
from ingest.domain.wide import choose_columns

Purpose = Literal["gate", "series", "dataset", "news"]


@dataclass(frozen=True)
class Read:
    """One read of a table.

    Attributes
    ----------
    purpose : str
    columns : names
    last : date or None
        Last day that is read; None: all rows, for what is judged has to be seen.
    """

    purpose: Purpose
    columns: tuple[str, ...]
    last: date | None = None


def series_columns(specs: Sequence[SeriesSpec], names: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of a table that its series, their filters and the gate's rules on sources need."""
    wanted = dict.fromkeys(column for spec in specs for column in (spec.date, spec.value, *spec.where))
    wanted |= dict.fromkeys(ORIGINS)
    return tuple(column for column in wanted if column in names)


def reads_of(market: Market, table: str, schema: pa.Schema, as_of: date | None, *, judged: bool) -> Iterator[Read]:
    """Yield the reads of a pass that finds nothing in the lake; one that finds its export there reads nothing.

    Parameters
    ----------
    judged : bool
        Whether the gate audits the table, which it does with every one that is not too long.
    """
    if judged:
        yield Read("gate", tuple(schema.names))
    if table in market.tables:
        yield Read("series", series_columns(market.tables[table], schema.names))
    for spec in market.datasets:
        if spec.table == table and spec.date in schema.names:
            kept, _ = choose_columns(schema, spec, market.column_rules)
            targets = [name for name in spec.target_columns() if name in schema.names]
            yield Read("dataset", (spec.date, *kept, *targets), as_of)
    for news in market.news:
        if news.table == table:
            yield Read("news", tuple(name for name in news.columns() if name in schema.names))
