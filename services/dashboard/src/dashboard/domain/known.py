"""What the dashboard knows: the runs, what the buyer decided, and the messages that were given up."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cbi_common.events.base import Envelope
from cbi_common.events.training import ModelFailed, ModelTrained
from cbi_common.reporting.decisions import Decisions
from cbi_common.reporting.projection import Runs
from dashboard.domain.answers import GivenUp


@dataclass
class Known:
    """Kept up to date by the feed, read by everything else."""

    runs: Runs = field(default_factory=Runs)
    decisions: Decisions = field(default_factory=Decisions)
    given_up: tuple[GivenUp, ...] = ()
    """Oldest first."""
    reading: bool = False
    """Whether the stream is still being read from its beginning: what is known is not all."""
    lost: datetime | None = None
    """Since when the bus does not answer."""
    version: int = 0
    """Grows with everything that is learned: whatever was shown at the same version still holds."""
    steps: int = 0
    """How much of that was a step of some run's training, which only the pages about runs tell of."""

    def read_through(self) -> None:
        """Take in that the stream has been read up to where it ended."""
        self.reading = False
        self.version += 1

    def apply(self, event: Envelope[Any]) -> None:
        """Take in one event."""
        self.runs.apply(event)
        self.decisions.apply(event)
        self.version += 1
        self.steps += isinstance(event.data, ModelTrained | ModelFailed)

    def stamp(self, run: str | None, *, about_runs: bool) -> Hashable:
        """Return what a page follows from: equal stamps, equal pages.

        Parameters
        ----------
        run : str or None
            Correlation id, or what may be one, of the run that the page is about.
        about_runs : bool
            Whether it tells of steps of training.
        """
        found = self.runs.get(run) if run else None
        if found is not None:
            return run, len(found.events), found.ended, self.lost, self.reading
        if about_runs:
            return self.version
        newest = self.runs.all()[-1:]
        return self.version - self.steps, *((run.correlation_id, run.stage) for run in newest)

    def give_up(self, letters: tuple[GivenUp, ...]) -> None:
        """Take in the messages that were given up, all of them."""
        if letters != self.given_up:
            self.given_up = letters
            self.version += 1

    def connection(self, lost: datetime | None) -> None:
        """Take in since when the bus does not answer, None: it does."""
        if (lost is None) != (self.lost is None):
            self.lost = lost
            self.version += 1
