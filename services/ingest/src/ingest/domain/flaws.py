"""What a check found: how often, where first, and what was done about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cbi_common.events.data import Finding, Severity, TableQuality, Verdict

NAMED = 12
"""Columns that a summary names."""


@dataclass(frozen=True)
class Flaw:
    """A finding with its weight: ``info`` changes no value, ``repaired`` drops rows, ``rejected`` the column.

    Attributes
    ----------
    check : str
        One of the names on the page about data.
    count : int
        Rows, or columns where whole columns are concerned.
    rows : first rows as JSON values
    columns : columns of the table concerned
    done : what was done
    """

    check: str
    severity: Severity
    count: int
    detail: str
    rows: tuple[dict[str, Any], ...] = ()
    columns: tuple[str, ...] = ()
    done: str = ""

    def entry(self) -> dict[str, Any]:
        """Return everything, as it stands in the full report."""
        return {
            "check": self.check,
            "count": self.count,
            "detail": self.detail,
            "severity": self.severity,
            "columns": list(self.columns),
            "done": self.done,
            "rows": list(self.rows),
        }


_WEIGHT: dict[Severity, int] = {"info": 0, "repaired": 1, "rejected": 2}


def summary(flaws: Iterable[Flaw]) -> tuple[Finding, ...]:
    """Return one finding per check, as it travels in an event: counts summed, the first columns named."""
    by_check: dict[str, list[Flaw]] = {}
    for flaw in flaws:
        by_check.setdefault(flaw.check, []).append(flaw)
    return tuple(_merged(same) for same in by_check.values())


def _merged(same: list[Flaw]) -> Finding:
    columns = tuple(dict.fromkeys(column for flaw in same for column in flaw.columns))
    more = f" (and {len(same) - 1} more findings)" if len(same) > 1 else ""
    done = dict.fromkeys(flaw.done for flaw in same if flaw.done)
    return Finding(
        check=same[0].check,
        count=sum(flaw.count for flaw in same),
        detail=same[0].detail + more,
        severity=max((flaw.severity for flaw in same), key=_WEIGHT.__getitem__),
        columns=columns[:NAMED],
        done="; ".join(done),
    )


def verdict(rows: int, flaws: Iterable[Flaw], *, usable: bool) -> TableQuality:
    """Return the verdict on a table of ``rows`` rows; ``usable`` is whether any of its series came through."""
    found = tuple(flaws)
    clean = all(flaw.severity == "info" for flaw in found)
    word: Verdict = "rejected" if not usable else "ok" if clean else "repaired"
    return TableQuality(rows=rows, verdict=word, findings=summary(found))
