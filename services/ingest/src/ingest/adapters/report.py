"""The verdicts on the terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

_STYLE = {"ok": "green", "repaired": "yellow", "rejected": "red", "unused": "dim"}


def write_report(found: dict[str, Any], *, detailed: bool, console: Console | None = None) -> None:
    """Write what `ingest.jobs.quality` returned.

    Parameters
    ----------
    found : dict
    detailed : bool
        Every finding in full, not only the names and counts of the checks.
    console : Console or None
        None writes to standard output.
    """
    out = console or Console(highlight=False, soft_wrap=detailed)
    mark = "SIMULATED " if found["simulated"] else ""
    # Text, not markup: labels and details quote what stands in the warehouse.
    title = Text(f"{mark}{found['warehouse']} as of {found['as_of'] or 'no day with a price'}")
    if detailed:
        out.print(title)
        for name, verdict in found["tables"].items():
            out.print(Text(f"{name}: {verdict['rows']:,} rows, "), _word(verdict), sep="")
            for finding in verdict["findings"]:
                out.print(Text(f"  {finding['check']} {finding['count']:,}: {finding['detail']}"))
        return
    table = Table(Column("table", no_wrap=True, min_width=34), "rows", "verdict", "findings", title=title)
    for name, verdict in found["tables"].items():
        table.add_row(
            Text(name.replace(".", ".\n")), f"{verdict['rows']:,}", _word(verdict), _grouped(verdict["findings"])
        )
    out.print(table)


def _word(verdict: dict[str, Any]) -> Text:
    return Text(verdict["verdict"], style=_STYLE[verdict["verdict"]])


def _grouped(findings: list[dict[str, Any]]) -> str:
    counts: dict[str, int] = {}
    for finding in findings:
        counts[finding["check"]] = counts.get(finding["check"], 0) + finding["count"]
    return ", ".join(f"{check} {count:,}" for check, count in counts.items())
