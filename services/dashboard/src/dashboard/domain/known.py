"""What the dashboard knows: the runs and the messages that were given up."""

from __future__ import annotations

from dataclasses import dataclass, field

from cbi_common.reporting.projection import Runs
from dashboard.domain.answers import GivenUp


@dataclass
class Known:
    """Kept up to date by the feed, read by everything else."""

    runs: Runs = field(default_factory=Runs)
    given_up: tuple[GivenUp, ...] = ()
    """Oldest first."""
