"""Where a package can be served. A target does one step at a time, and each step looks first what is there already."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from promoter.domain.champion import Serving
from promoter.domain.promotion import Facts, PlannedStep, Promotion


class Target(Protocol):
    """A place that serves versions of packages."""

    @property
    def name(self) -> str:
        """``local`` or ``vertex``."""

    def plan(self, promotion: Promotion) -> Sequence[PlannedStep]:
        """Return the steps of a promotion, in their order; asks nobody and changes nothing."""

    def perform(self, step: str, promotion: Promotion, folder: Path) -> Facts:
        """Do one step, or find that it has been done, and return what it left.

        Parameters
        ----------
        step : name of a planned step
        promotion : with the facts of the steps before
        folder : the unpacked package

        Raises
        ------
        TransientError
            When the same call may succeed later.
        InfrastructureError
            When it will not: no permission, no quota, a rejected model.
        """

    def activate(self, serving: Serving, market: str, *, simulated: bool) -> None:
        """Send all requests to a version that has been promoted before."""

    def retire(self, promotion: Promotion) -> None:
        """Take away what an abandoned promotion has left; what was never there is no error."""
