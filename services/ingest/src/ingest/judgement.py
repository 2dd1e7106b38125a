"""The gate over a whole warehouse: the series of the market, and an audit of every table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from cbi_common.core.errors import DataError
from cbi_common.events.data import TableQuality
from cbi_common.markets.spec import Market
from cbi_common.storage.warehouse import Warehouse
from ingest.adapters.sources import read_sources
from ingest.domain.age import with_newest
from ingest.domain.audit.audit import Judged, audit, judge_unread
from ingest.domain.audit.beside import Known
from ingest.domain.flaws import Flaw
from ingest.domain.gate import Verdict, examine

MOST_ROWS = 5_000_000
"""Rows of a table that nobody reads above which it is counted and not audited."""


@dataclass(frozen=True)
class Judgement:
    """What the gate says of a warehouse.

    Attributes
    ----------
    verdict : Verdict
        On the market's series; its quality covers every table of the warehouse.
    tables : table to its verdict with every finding
    """

    verdict: Verdict
    tables: dict[str, Judged]

    def report(self) -> dict[str, Any]:
        """Return the full report: every finding of every column, with its first rows."""
        return {"tables": {name: _entry(judged) for name, judged in sorted(self.tables.items())}}


def judge(market: Market, warehouse: Warehouse, requested: date | None, *, unread: bool = True) -> Judgement:
    """Examine the market's series as of ``requested``, and audit every table of the warehouse.

    With ``unread`` false only the tables that the market's series are read from. What the audit finds decides nothing
    that a fold sees: datasets mask their own values, row by row.
    """
    verdict = examine(market, read_sources(market, warehouse), requested)
    judged = with_newest(market, verdict.quality, verdict.series)
    tables = {name: Judged(quality, verdict.flaws[name]) for name, quality in judged.items()}
    for name, flaws, rows in _audits(market, warehouse, verdict, unread=unread):
        tables[name] = tables[name].merged(flaws) if name in tables else judge_unread(market, name, rows, flaws)
    quality = {name: table.quality for name, table in tables.items()}
    return Judgement(replace(verdict, quality=quality), tables)


def _audits(
    market: Market, warehouse: Warehouse, verdict: Verdict, *, unread: bool
) -> Iterator[tuple[str, tuple[Flaw, ...], int]]:
    known = None
    if market.price in verdict.series:
        lags = {spec.name: spec.release_lag_sessions for spec in market.series if spec.name in verdict.series}
        known = Known(verdict.series[market.price], verdict.series, lags)
    for name in warehouse.tables():
        if not unread and name not in market.tables:
            continue
        try:
            rows = warehouse.rows(name)
            flaws = _too_long(rows) if rows > MOST_ROWS else audit(market, name, warehouse.read(name), known)
        except DataError as error:
            yield name, _not_audited(market, name, verdict, error), 0
            continue
        if name not in market.tables or rows:
            yield name, flaws, rows


def _too_long(rows: int) -> tuple[Flaw, ...]:
    return (Flaw("unreadable", "info", 1, f"{rows:,} rows are more than {MOST_ROWS:,}", done="not audited"),)


def _not_audited(market: Market, name: str, verdict: Verdict, error: DataError) -> tuple[Flaw, ...]:
    """Say that a table could not be read whole, unless its series could not be read either and that is said."""
    if name not in market.tables:
        return (Flaw("unreadable", "rejected", 0, error.what, done="table rejected"),)
    if any(flaw.check in ("unreadable", "missing_table") for flaw in verdict.flaws[name]):
        return ()
    detail = f"columns that no series is read from: {error.what}"
    return (Flaw("unreadable", "info", 1, detail, done="not audited"),)


def _entry(judged: Judged) -> dict[str, Any]:
    quality: TableQuality = judged.quality
    stated = quality.model_dump(mode="json", exclude={"findings"})
    return {**stated, "findings": [flaw.entry() for flaw in judged.flaws]}
