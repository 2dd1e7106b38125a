"""Tables of a warehouse as the gate takes them: only the columns that the market reads."""

from __future__ import annotations

from cbi_common.core.errors import DataError
from cbi_common.events.data import TableQuality
from cbi_common.markets.spec import Market, SeriesSpec
from cbi_common.storage.warehouse import Warehouse
from ingest.domain.flaws import Flaw, verdict
from ingest.domain.tables import Source


def read_sources(market: Market, warehouse: Warehouse) -> dict[str, Source]:
    """Return every table of the market; one that is missing or damaged says so and stops nobody."""
    have = set(warehouse.tables())
    return {
        name: _read(warehouse, name, specs)
        if name in have
        else Source(None, trouble=Flaw("missing_table", "rejected", 0, "the warehouse has no such table"))
        for name, specs in market.tables.items()
    }


def fingerprints(market: Market, warehouse: Warehouse) -> dict[str, str | None]:
    """Return the digest of every table of the market, None for one that the warehouse does not have."""
    have = set(warehouse.tables())
    return {name: warehouse.fingerprint(name) if name in have else None for name in market.tables}


def unused_tables(market: Market, warehouse: Warehouse) -> dict[str, TableQuality]:
    """Return a verdict on each table that the market does not read, from its row count alone."""
    return {name: _unused(warehouse, name) for name in warehouse.tables() if name not in market.tables}


def _unused(warehouse: Warehouse, name: str) -> TableQuality:
    try:
        rows = warehouse.rows(name)
    except DataError as error:
        return verdict(0, [Flaw("unreadable", "rejected", 0, error.what)], usable=False)
    if rows == 0:
        return verdict(0, [Flaw("empty_table", "rejected", 0, "the table has no rows")], usable=False)
    return TableQuality(rows=rows, verdict="unused")


def _read(warehouse: Warehouse, name: str, specs: tuple[SeriesSpec, ...]) -> Source:
    wanted = dict.fromkeys(column for spec in specs for column in (spec.date, spec.value, *spec.where))
    try:
        columns = tuple(warehouse.schema(name).names)
        return Source(warehouse.read(name, tuple(c for c in wanted if c in columns)), columns)
    except DataError as error:
        return Source(None, trouble=Flaw("unreadable", "rejected", 0, f"{error.what}; {error.hint}"))
