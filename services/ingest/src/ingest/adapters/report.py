"""The verdicts on the terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.padding import Padding
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
    out.print(title)
    for word in ("rejected", "repaired", "ok"):
        for name, verdict in found["tables"].items():
            if verdict["verdict"] == word:
                out.print(_word(verdict, width=9), Text(f"{verdict['rows']:>8,}  {name}"), soft_wrap=True)
                _write_findings(out, verdict["findings"])
    unused = sum(verdict["verdict"] == "unused" for verdict in found["tables"].values())
    out.print(
        Text(f"unused    {unused} tables that no series is read from (--json lists them)", style=_STYLE["unused"])
    )


def _write_findings(out: Console, findings: list[dict[str, Any]]) -> None:
    if findings:
        out.print(Padding(Text(_grouped(findings), style="dim"), (0, 0, 0, 20)))


def _word(verdict: dict[str, Any], width: int = 0) -> Text:
    return Text(f"{verdict['verdict']:{width}}", style=_STYLE[verdict["verdict"]])


def _grouped(findings: list[dict[str, Any]]) -> str:
    counts: dict[str, int] = {}
    for finding in findings:
        counts[finding["check"]] = counts.get(finding["check"], 0) + finding["count"]
    return ", ".join(f"{check} {count:,}" for check, count in counts.items())
