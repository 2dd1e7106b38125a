"""What a fault is done to, and what it leaves behind for the verdict."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cbi_common.runtime.bus import Bus
from cbi_common.testing.chaos.crew import Crew
from cbi_common.testing.chaos.proxy import Publish
from cbi_common.testing.chaos.triggers import Triggers


@dataclass
class Stage:
    """One scenario's.

    Attributes
    ----------
    crew, triggers
    name : id of the request
    injected : stream and sequence of each message that must be given up
    refused : what the bus would not take, which is an answer, too
    missed : faults that found nothing to strike at, with the reason
    """

    crew: Crew
    triggers: Triggers
    name: str
    injected: list[tuple[str, int]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)

    @property
    def bus(self) -> Bus:
        """A connection that no fault is done to."""
        return self.crew.bus

    def objects(self, *folders: str) -> list[Path]:
        """Return the files of the lake, sorted."""
        roots: Iterable[Path] = (self.crew.lake / folder for folder in folders)
        found = (path for root in roots for path in root.rglob("*"))
        return sorted(path for path in found if path.is_file() and not path.name.startswith("."))

    def said(self) -> list[Publish]:
        """Return what the services have published so far."""
        return list(self.triggers.said)
