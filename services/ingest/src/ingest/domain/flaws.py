"""What a check found: how often, where first, and what was done about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from cbi_common.events.data import Finding, TableQuality

Severity = Literal["info", "repaired", "rejected"]


@dataclass(frozen=True)
class Flaw:
    """A finding with its weight: ``info`` changes no value, ``repaired`` drops rows, ``rejected`` the column."""

    check: str
    severity: Severity
    count: int
    detail: str
    rows: tuple[dict[str, Any], ...] = ()
    """The first rows, as JSON values."""

    def finding(self) -> Finding:
        """Return what travels in an event."""
        return Finding(check=self.check, count=self.count, detail=self.detail)


def verdict(rows: int, flaws: Iterable[Flaw], *, usable: bool) -> TableQuality:
    """Return the verdict on a table of ``rows`` rows; ``usable`` is whether any of its series came through."""
    found = tuple(flaws)
    clean = all(flaw.severity == "info" for flaw in found)
    word: Literal["ok", "repaired", "rejected"] = "rejected" if not usable else "ok" if clean else "repaired"
    return TableQuality(rows=rows, verdict=word, findings=tuple(flaw.finding() for flaw in found))
