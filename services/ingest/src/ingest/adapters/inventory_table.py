"""The tables of a warehouse on the terminal."""

from __future__ import annotations

from typing import Any

from cbi_common.reporting.tables import UNKNOWN, Table, columns


def inventory_table(found: dict[str, Any]) -> Table:
    """Return what `ingest.inventory.inventory` found as a table."""
    billed = ("read", "USD") if found["billed"] else ()
    return Table(
        title=f"Tables of {found['warehouse']}",
        columns=columns("<table", "rows", "bytes", "<a pass reads", *billed),
        rows=tuple(_row(name, table, billed=found["billed"]) for name, table in found["tables"].items()),
        note=_note(found),
    )


def _row(name: str, table: dict[str, Any], *, billed: bool) -> tuple[str, ...]:
    cost = (_count(table.get("bytes_read")), _usd(table.get("cost_usd"))) if billed else ()
    if "trouble" in table:
        return name, UNKNOWN, UNKNOWN, table["trouble"], *cost
    reads = "; ".join(_words(read, table["columns"]) for read in table["reads"]) or "nothing"
    return name, _count(table["rows"]), _count(table["bytes"]), reads, *cost


def _words(read: dict[str, Any], width: int) -> str:
    part = f"all {width}" if read["columns"] == "all" else f"{len(read['columns'])} of {width}"
    last = f" to {read['last_day']}" if read["last_day"] else ""
    return f"{read['purpose']}: {part} columns{last}"


def _note(found: dict[str, Any]) -> str:
    total, tables = found["total"], found["tables"]
    what = f"{len(tables)} tables, {total['rows']:,} rows, {total['bytes']:,} bytes"
    if not found["billed"]:
        return f"{what}; nothing was read, and nothing is billed here"
    unknown = sum(table.get("bytes_read") is None for table in tables.values())
    left = f", without {unknown} of which nobody says it before" if unknown else ""
    price = f"{_usd(total['cost_usd'])} USD at {found['usd_per_tib']:g} USD per TiB{left}"
    return (
        f"{what}; nothing was read. A pass with nothing in the lake reads {total['bytes_read']:,} bytes, {price}; "
        "estimated from rows, bytes and types of the columns"
    )


def _count(value: int | None) -> str:
    return UNKNOWN if value is None else f"{value:,}"


def _usd(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.6f}"
