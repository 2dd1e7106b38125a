"""Tables of a warehouse as the gate takes them: only the columns that the market reads."""

from __future__ import annotations

from collections.abc import Iterable

from cbi_common.core.errors import DataError
from cbi_common.markets.spec import Market, SeriesSpec
from cbi_common.storage.warehouse import Warehouse
from ingest.domain.flaws import Flaw
from ingest.domain.reading import series_columns
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


def fingerprints(warehouse: Warehouse, tables: Iterable[str]) -> dict[str, str | None]:
    """Return the digest of each table, None for one that the warehouse does not have."""
    have = set(warehouse.tables())
    return {name: warehouse.fingerprint(name) if name in have else None for name in tables}


def _read(warehouse: Warehouse, name: str, specs: tuple[SeriesSpec, ...]) -> Source:
    try:
        columns = tuple(warehouse.schema(name).names)
        return Source(warehouse.read(name, series_columns(specs, columns)), columns)
    except DataError as error:
        return Source(None, trouble=Flaw("unreadable", "rejected", 0, f"{error.what}; {error.hint}"))
