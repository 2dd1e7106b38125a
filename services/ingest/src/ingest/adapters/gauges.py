"""The verdicts as Prometheus gauges: what the newest export of each market found."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from cbi_common.events.data import TableQuality
from cbi_common.runtime.telemetry import QUALITY_FINDINGS, TABLE_AGE_SESSIONS, TABLE_ROWS, TABLE_VERDICT


def show(market: str, as_of: date | None, quality: Mapping[str, TableQuality]) -> None:
    """Set the gauges of a market; what an earlier export found and this one did not is gone.

    Parameters
    ----------
    market : str
    as_of : date or None
        None: no table has an age.
    quality : table to its verdict
    """
    for gauge in (QUALITY_FINDINGS, TABLE_ROWS, TABLE_VERDICT, TABLE_AGE_SESSIONS):
        gauge.remove_by_labels({"market": market})
    for name, table in quality.items():
        TABLE_ROWS.labels(market, name).set(table.rows)
        TABLE_VERDICT.labels(market, name, table.verdict).set(1)
        for finding in table.findings:
            QUALITY_FINDINGS.labels(market, name, finding.check, finding.severity).inc(finding.count)
        if as_of is not None and table.newest is not None:
            TABLE_AGE_SESSIONS.labels(market, name).set(_sessions(table.newest, as_of))


def _sessions(first: date, last: date) -> int:
    from cbi_common.timeseries.calendar import session_number

    return session_number(last) - session_number(first)
