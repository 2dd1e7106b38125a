"""The audit of one table: every check that needs no series, then those that need them."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from cbi_common.events.data import TableQuality, Verdict
from cbi_common.markets.spec import Market
from ingest.domain.audit.beside import Known, beside
from ingest.domain.audit.days import days
from ingest.domain.audit.facts import facts_of
from ingest.domain.audit.origin import origin
from ingest.domain.audit.rows import repeated_rows
from ingest.domain.audit.shape import shape
from ingest.domain.audit.sheet import Sheet
from ingest.domain.audit.text import text
from ingest.domain.audit.values import values
from ingest.domain.flaws import Flaw, summary

FATAL = frozenset({"empty_table", "all_null", "mislabelled", "modelled", "unreadable"})
"""Checks whose rejection is that of the whole table, where it is no series of the market."""


@dataclass(frozen=True)
class Judged:
    """A table after the gate: its verdict, and everything that was found."""

    quality: TableQuality
    flaws: tuple[Flaw, ...]

    def merged(self, more: tuple[Flaw, ...]) -> Judged:
        """Return the verdict with what an audit found of the columns that no series is read from."""
        flaws = (*self.flaws, *more)
        return Judged(self.quality.model_copy(update={"findings": summary(flaws)}), flaws)


def audit(market: Market, name: str, table: pa.Table, known: Known | None) -> tuple[Flaw, ...]:
    """Return what is wrong with a table.

    Parameters
    ----------
    market : Market
    name : str
        ``DATASET.TABLE``.
    table : pa.Table
        All rows and columns.
    known : Known or None
        The market's series; None when the price did not come through, and then nothing is compared with it.
    """
    if table.num_rows == 0:
        return (Flaw("empty_table", "rejected", 0, "the table has no rows", done="table rejected"),)
    sheet = Sheet(name, table, facts_of(market, name, table))
    alone = (days, repeated_rows, shape, values, origin, text)
    found = [flaw for check in alone for flaw in check(sheet)]
    if known is not None:
        found += beside(sheet, known)
    return tuple(found)


def judge_unread(market: Market, name: str, rows: int, flaws: tuple[Flaw, ...]) -> Judged:
    """Return the verdict on a table that no series is read from: a dataset, or one that nobody uses."""
    fatal = any(flaw.severity == "rejected" and flaw.check in FATAL for flaw in flaws)
    is_dataset = any(spec.table == name for spec in market.datasets)
    repaired = any(flaw.severity != "info" for flaw in flaws)
    word: Verdict = "rejected" if fatal and not is_dataset else "unused"
    if is_dataset:
        word = "repaired" if repaired else "ok"
    if any(flaw.check in ("empty_table", "unreadable") for flaw in flaws):
        word = "rejected"
    return Judged(TableQuality(rows=rows, verdict=word, findings=summary(flaws)), flaws)
