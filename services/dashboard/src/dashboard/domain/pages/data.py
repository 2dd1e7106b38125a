"""Data: what the gate found in each table, how fresh each is, and what was left out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import numpy as np

from cbi_common.events.data import DataExported, Verdict
from cbi_common.reporting.projection import Run
from cbi_common.reporting.tables import UNKNOWN
from dashboard.domain import quality, view
from dashboard.domain.answers import Origin, QualityAnswer
from dashboard.domain.known import Known
from dashboard.domain.pages.chrome import Chrome, Traced, chrome, source_of
from dashboard.domain.pages.grid import Grid, Row, grid
from dashboard.domain.quality import QualityPage

_STALE_SESSIONS = 10
"""Weekdays from the newest usable row to the export after which a table is marked."""


@dataclass(frozen=True)
class DataPage:
    """Everything the template shows."""

    chrome: Chrome
    quality: QualityPage
    freshness: Grid | None
    datasets: Grid | None
    dropped: Grid | None


def compose(known: Known, now: datetime, answer: QualityAnswer, verdict: Verdict | None) -> DataPage:
    """Return the page with the tables of one verdict, or with all."""
    run = known.runs.get(answer.request_id)
    assert run is not None
    frame = chrome("data", "Data", known, _origin(known, run, now))
    if run.export is None:
        return DataPage(frame, quality.compose(answer, verdict), None, None, None)
    data, source = run.export.data, source_of(run, run.export)
    return DataPage(
        chrome=frame,
        quality=quality.compose(answer, verdict),
        freshness=_freshness(data, source),
        datasets=_datasets(data, source),
        dropped=_dropped(data),
    )


def nothing(known: Known, why: str) -> DataPage:
    """Return the page of a system in which no table has been judged yet."""
    return DataPage(chrome("data", "Data", known, None), quality.nothing(why), None, None, None)


def _origin(known: Known, run: Run, now: datetime) -> Origin | None:
    event = run.export
    return None if event is None else view.origin_of(known.runs, run, event, now.date())


def _freshness(data: DataExported, source: str) -> Grid:
    used = {name: table.newest for name, table in data.quality.items() if table.newest is not None}
    rows: list[Row] = [
        (name, Traced(newest.isoformat(), source), *_age(newest, data.as_of))
        for name, newest in sorted(used.items(), key=lambda item: (item[1], item[0]))
    ]
    names = ("<Table", "<newest row used", "weekdays before", "<state")
    return grid("How fresh each used table was on that day, oldest first", names, rows)


def _age(newest: date, as_of: date | None) -> tuple[str, str]:
    if as_of is None:
        return UNKNOWN, UNKNOWN
    days = int(np.busday_count(newest, as_of))
    return str(days), "STALE" if days > _STALE_SESSIONS else "fresh"


def _datasets(data: DataExported, source: str) -> Grid:
    rows: list[Row] = [
        (
            name, Traced(f"{found.rows:,}", source), Traced(str(found.columns), source), found.start.isoformat(),
            found.end.isoformat(), str(len(found.dropped_columns)), found.sha256[:12],
        )
        for name, found in sorted(data.datasets.items())
    ]  # fmt: skip
    names = ("<Dataset", "rows", "columns", "<from", "<to", "left out", "?<content")
    notes = [f"{name}: {reason}" for name, reason in sorted(data.absent.items())]
    return grid("What the models were trained on", names, rows, *notes)


def _dropped(data: DataExported) -> Grid | None:
    rows: list[Row] = [
        (column, name, reason)
        for name, found in sorted(data.datasets.items())
        for column, reason in sorted(found.dropped_columns.items())
    ]
    return grid("Columns that no model sees, and why", ("<Column", "<dataset", "<reason"), rows) if rows else None
