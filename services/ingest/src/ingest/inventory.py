"""The tables of a warehouse and what a pass reads of them, found without reading any."""

from __future__ import annotations

from datetime import date
from typing import Any

from cbi_common.core.errors import DataError
from cbi_common.markets.files import load_market
from cbi_common.markets.spec import Market
from cbi_common.storage.read_cost import Billed, cost_usd
from cbi_common.storage.warehouse import Warehouse, open_warehouse
from ingest.domain.reading import Read, reads_of
from ingest.judgement import MOST_ROWS


def inventory(arg: dict[str, Any]) -> dict[str, Any]:
    """List the tables with rows, bytes, what a pass reads of each, and where bytes are billed what that costs.

    Parameters
    ----------
    arg : dict
        ``warehouse``, ``market``, ``markets`` (folder of own market files), ``as_of`` (ISO date or None),
        ``usd_per_tib``.

    Returns
    -------
    dict
        ``warehouse``, ``simulated``, ``billed``, ``usd_per_tib``, ``tables`` (name to ``rows``, ``bytes``, ``reads``,
        ``bytes_read``, ``cost_usd``), ``total``. None stands for what nobody says before it is read.
    """
    market, warehouse = load_market(arg["market"], arg.get("markets")), open_warehouse(arg["warehouse"])
    as_of = None if arg["as_of"] is None else date.fromisoformat(arg["as_of"])
    tables = {name: _table(market, warehouse, name, as_of, arg["usd_per_tib"]) for name in warehouse.tables()}
    return {
        "warehouse": warehouse.label,
        "simulated": warehouse.simulated,
        "billed": isinstance(warehouse, Billed),
        "usd_per_tib": arg["usd_per_tib"],
        "tables": tables,
        "total": {
            part: sum(table[part] for table in tables.values() if table.get(part) is not None)
            for part in ("rows", "bytes", "bytes_read", "cost_usd")
        },
    }


def _table(market: Market, warehouse: Warehouse, name: str, as_of: date | None, usd_per_tib: float) -> dict[str, Any]:
    try:
        schema, size = warehouse.schema(name), warehouse.size(name)
        rows = warehouse.stored_rows(name) if isinstance(warehouse, Billed) else warehouse.rows(name)
    except DataError as error:
        return {"trouble": error.what}
    reads = [
        _read(warehouse, name, read, len(schema.names))
        for read in reads_of(market, name, schema, as_of, judged=(rows or 0) <= MOST_ROWS)
    ]
    counted = [read["bytes"] for read in reads]
    known = isinstance(warehouse, Billed) and None not in counted
    return {
        "rows": rows,
        "bytes": size,
        "columns": len(schema.names),
        "reads": reads,
        "bytes_read": sum(counted) if known else None,
        "cost_usd": cost_usd(counted, usd_per_tib) if known else None,
    }


def _read(warehouse: Warehouse, name: str, read: Read, width: int) -> dict[str, Any]:
    return {
        "purpose": read.purpose,
        "columns": "all" if len(read.columns) == width else list(read.columns),
        "last_day": None if read.last is None else read.last.isoformat(),
        "bytes": warehouse.estimate(name, read.columns) if isinstance(warehouse, Billed) else None,
    }
