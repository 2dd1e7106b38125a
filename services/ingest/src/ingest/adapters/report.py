"""The verdicts on the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

_STYLE = {"ok": "green", "repaired": "yellow", "rejected": "red", "unused": "dim", "info": "dim"}
_WORDS = ("rejected", "repaired", "ok", "unused")
_SEVERITIES = ("rejected", "repaired", "info")

ROWS_SHOWN = 3
"""First rows of a finding that the terminal shows; `--json` has up to five."""

Tables = dict[str, dict[str, Any]]


def chosen(tables: Tables, *, table: str | None, word: str | None, check: str | None) -> Tables:
    """Return the verdicts on one table, of one word, or with findings of one check and those alone."""
    found = {
        name: verdict | {"findings": [f for f in verdict["findings"] if check in (None, f["check"])]}
        for name, verdict in tables.items()
        if table in (None, name) and word in (None, verdict["verdict"])
    }
    return {name: verdict for name, verdict in found.items() if check is None or verdict["findings"]}


def write_report(
    found: dict[str, Any], tables: Tables, *, detailed: bool, rows: int = 0, console: Console | None = None
) -> None:
    """Write what `ingest.jobs.quality` returned.

    Parameters
    ----------
    found : dict
    tables : dict
        The verdicts of ``found`` that were asked for.
    detailed : bool
        Every finding in full, not only the names and counts of the checks.
    rows : int
        First rows shown of a finding.
    console : Console or None
        None writes to standard output.
    """
    out = console or Console(highlight=False)
    # Text, not markup: labels and details quote what stands in the warehouse.
    out.print(_title(found), soft_wrap=True)
    for word in _WORDS:
        for name, verdict in tables.items():
            if verdict["verdict"] == word:
                line = Text(f"{word:<9}", style=_STYLE[word]).append(f"{verdict['rows']:>10,}  {name}", style="default")
                out.print(line, soft_wrap=True)
                if detailed:
                    _write_findings(out, verdict["findings"], rows)
                else:
                    _write_counts(out, verdict["findings"])
    if not tables:
        out.print("nothing of that kind was found")
    elif not detailed:
        out.print(Text("cbi quality TABLE shows every finding of a table, its first rows, and what was done", "dim"))


def _title(found: dict[str, Any]) -> Text:
    mark = "SIMULATED " if found["simulated"] else ""
    words = Counter(verdict["verdict"] for verdict in found["tables"].values())
    counts = ", ".join(f"{words[word]} {word}" for word in _WORDS if words[word])
    day = found["as_of"] or "no day with a price"
    return Text(f"{mark}{found['warehouse']} as of {day}, {len(found['tables'])} tables: {counts}")


def _write_counts(out: Console, findings: list[dict[str, Any]]) -> None:
    counts: Counter[str] = Counter()
    for finding in findings:
        counts[finding["check"]] += finding["count"]
    if counts:
        line = ", ".join(f"{check} {count:,}" for check, count in counts.items())
        out.print(Padding(Text(line, style="dim"), (0, 0, 0, 21)))


def _write_findings(out: Console, findings: list[dict[str, Any]], rows: int) -> None:
    for severity in _SEVERITIES:
        for finding in findings:
            if finding["severity"] == severity:
                done = f": {finding['done']}" if finding["done"] else ""
                title = Text(f"  {severity:<9}", style=_STYLE[severity])
                title.append(f"{finding['check']} {finding['count']:,}{done}", style="bold")
                out.print(title, soft_wrap=True)
                for line in _lines(finding, rows):
                    out.print(Padding(Text(line), (0, 0, 0, 11)))


def _lines(finding: dict[str, Any], rows: int) -> Iterator[str]:
    yield finding["detail"]
    for row in finding["rows"][:rows]:
        yield "· " + ", ".join(f"{name} {value}" for name, value in row.items())
