"""The quality page: what the gate found in each table, in words, computed before any HTML."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cbi_common.events.data import Severity, Verdict
from dashboard.domain.answers import FindingAnswer, QualityAnswer, TableAnswer

VERDICTS: tuple[Verdict, ...] = ("rejected", "repaired", "ok", "unused")
"""Worst first."""

_SEVERITIES: tuple[Severity, ...] = ("rejected", "repaired", "info")
_CELL = 160
"""Characters of a value that are shown: a warehouse may hold whole articles."""


@dataclass(frozen=True)
class Choice:
    """A link that shows the tables of one verdict, or all."""

    name: str
    address: str
    count: int
    current: bool


@dataclass(frozen=True)
class Sample:
    """First rows of a finding."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Line:
    """One finding."""

    severity: Severity
    check: str
    count: str
    columns: str
    detail: str
    done: str
    sample: Sample | None


@dataclass(frozen=True)
class Judged:
    """One table."""

    anchor: str
    name: str
    verdict: Verdict
    rows: str
    newest: str
    """Day of the newest row that is used, empty where none is."""
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class QualityPage:
    """Everything the template shows."""

    answer: QualityAnswer | None
    empty: str
    """Why there is nothing to show."""
    choices: tuple[Choice, ...]
    tables: tuple[Judged, ...]
    """Tables with findings, worst first."""
    clean: tuple[Judged, ...]
    """Tables in which nothing was found."""


def compose(answer: QualityAnswer, verdict: Verdict | None) -> QualityPage:
    """Return the page with the tables of one verdict, or with all."""
    chosen = {name: table for name, table in answer.tables.items() if verdict in (None, table.verdict)}
    ordered = sorted(chosen.items(), key=lambda item: (VERDICTS.index(item[1].verdict), item[0]))
    judged = [_judged(f"table-{i}", name, table) for i, (name, table) in enumerate(ordered, 1)]
    return QualityPage(
        answer=answer,
        empty="",
        choices=_choices(answer.tables.values(), verdict),
        tables=tuple(table for table in judged if table.lines),
        clean=tuple(table for table in judged if not table.lines),
    )


def nothing(why: str) -> QualityPage:
    """Return the page of a system in which no table has been judged yet."""
    return QualityPage(None, why, (), (), ())


def _choices(tables: Iterable[TableAnswer], chosen: Verdict | None) -> tuple[Choice, ...]:
    found = [table.verdict for table in tables]
    every = Choice("all", "/data", len(found), chosen is None)
    return (every, *(Choice(v, f"/data?verdict={v}", found.count(v), v == chosen) for v in VERDICTS))


def _judged(anchor: str, name: str, table: TableAnswer) -> Judged:
    findings = sorted(table.findings, key=lambda f: (_SEVERITIES.index(f.severity), f.check, f.columns))
    newest = "" if table.newest is None else table.newest.isoformat()
    return Judged(anchor, name, table.verdict, f"{table.rows:,}", newest, tuple(map(_line, findings)))


def _line(finding: FindingAnswer) -> Line:
    return Line(
        severity=finding.severity,
        check=finding.check,
        count=f"{finding.count:,}",
        columns=", ".join(finding.columns),
        detail=finding.detail,
        done=finding.done,
        sample=_sample(finding.rows),
    )


def _sample(rows: tuple[dict[str, Any], ...]) -> Sample | None:
    if not rows:
        return None
    columns = tuple(dict.fromkeys(name for row in rows for name in row))
    return Sample(columns, tuple(tuple(_cell(row, name) for name in columns) for row in rows))


def _cell(row: dict[str, Any], name: str) -> str:
    if row.get(name) is None:
        return "–"
    value = row[name] if isinstance(row[name], str) else json.dumps(row[name], ensure_ascii=False)
    return value if len(value) <= _CELL else value[:_CELL] + "…"
