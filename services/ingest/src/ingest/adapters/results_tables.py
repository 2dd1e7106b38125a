"""Recorded results as tables and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cbi_common.reporting.tables import UNKNOWN, Table, columns, number
from cbi_common.storage.result_rows import kind_named
from cbi_common.storage.results import ResultsStore

Found = dict[str, pa.Table]

_SHOWN = {
    "forecasts": ("day", "horizon", "target_date", "current", "point", "lower_90", "upper_90", "signal", "skill"),
    "explanations": ("day", "horizon", "level", "name", "share", "forecast", "baseline"),
    "validations": ("day", "horizon", "by", "value", "n", "mape", "skill", "coverage_90"),
    "alerts": ("time", "severity", "source", "what"),
    "promotions": ("day", "decision", "horizon", "model", "policy", "gate", "value", "threshold", "passed"),
}


def read(store: ResultsStore, kinds: Iterable[str], since: date | None) -> Found:
    """Return the rows of some kinds, the newest last."""
    return {name: store.read(kind_named(name), since) for name in kinds}


def as_json(found: Found) -> dict[str, list[dict[str, Any]]]:
    """Return every row with every column; days and times as text."""
    return {name: [_plain(row) for row in table.to_pylist()] for name, table in found.items()}


def simulated(found: Found) -> bool:
    """Return whether any row stands on simulated data."""
    return any(bool(pc.any(table["simulated"]).as_py()) for table in found.values())


def overview(found: Found, label: str) -> Table:
    """Return how much there is of each kind."""
    return Table(
        title=f"Results in {label}",
        columns=columns("<kind", "events", "rows", "<first day", "<last day"),
        rows=tuple(_counts(name, table) for name, table in found.items()),
        note="`cbi results KIND` shows the rows",
    )


def rows(found: Found, kind: str, limit: int) -> Table:
    """Return the newest rows of a kind for a person."""
    table, names = found[kind], _SHOWN[kind]
    newest: list[dict[str, Any]] = table.slice(max(0, table.num_rows - limit)).to_pylist()[::-1]
    numeric = [pa.types.is_floating(table.schema.field(n).type) or n == "n" for n in names]
    left = table.num_rows - len(newest)
    return Table(
        title=f"{kind.capitalize()}, the newest first",
        columns=columns(*(name if is_number else f"<{name}" for name, is_number in zip(names, numeric, strict=True))),
        rows=tuple(tuple(_text(row[name]) for name in names) for row in newest),
        note=f"{left:,} more with --limit or --json" if left else "",
    )


def _counts(name: str, table: pa.Table) -> tuple[str, ...]:
    events = pc.count_distinct(table["event_id"]).as_py()
    ends: Any = pc.min_max(table["day"]).as_py()
    return name, f"{events:,}", f"{table.num_rows:,}", str(ends["min"] or UNKNOWN), str(ends["max"] or UNKNOWN)


def _text(value: Any) -> str:
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number(value, 3)
    return value.strftime("%Y-%m-%d %H:%M") if isinstance(value, datetime) else str(value)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in row.items()}
