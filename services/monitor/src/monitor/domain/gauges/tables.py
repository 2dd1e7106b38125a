"""The data gate's verdicts on the newest export of each market and world."""

from __future__ import annotations

from collections import Counter
from datetime import date

from cbi_common.events.base import Envelope
from cbi_common.events.data import DataExported, DataRejected, TableQuality
from cbi_common.reporting.projection import Runs
from cbi_common.timeseries.calendar import session_number
from monitor.domain.gauges.family import Family, Shown, world_of

_WHERE = ("market", "world", "table")
FINDINGS = Family("cbi_quality_findings", "Rows that a check of the gate found", (*_WHERE, "check", "severity"))
ROWS = Family("cbi_table_rows", "Rows of a table", _WHERE)
VERDICT = Family("cbi_table_verdict", "1 for the gate's verdict on a table", (*_WHERE, "verdict"))
AGE = Family("cbi_table_age_sessions", "Sessions from the newest usable row of a table to as_of", _WHERE)
FAMILIES = (FINDINGS, ROWS, VERDICT, AGE)


def of_tables(runs: Runs) -> Shown:
    """Yield the verdicts of the newest export or refusal; what an earlier one found and this one did not is gone."""
    told: list[Envelope[DataExported] | Envelope[DataRejected]] = [
        *(event for event in runs.of(DataExported) if event.data.complete),
        *runs.of(DataRejected),
    ]
    newest: dict[tuple[str, str], DataExported | DataRejected] = {}
    for event in sorted(told, key=lambda event: event.time):
        newest[event.data.market, world_of(event.data.simulated)] = event.data
    for (market, world), data in newest.items():
        for name, table in data.quality.items():
            yield from _of_table((market, world, name), table, data.as_of)


def _of_table(where: tuple[str, str, str], table: TableQuality, as_of: date | None) -> Shown:
    yield ROWS.of(*where, value=table.rows)
    yield VERDICT.of(*where, table.verdict, value=1)
    counts: Counter[tuple[str, str]] = Counter()
    for finding in table.findings:
        counts[finding.check, finding.severity] += finding.count
    for (check, severity), count in counts.items():
        yield FINDINGS.of(*where, check, severity, value=count)
    if as_of is not None and table.newest is not None:
        yield AGE.of(*where, value=session_number(as_of) - session_number(table.newest))
