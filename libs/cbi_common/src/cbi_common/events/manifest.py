"""The run manifest: one immutable object that fixes everything a run depends on."""

from __future__ import annotations

from datetime import date
from typing import Literal

from cbi_common.core.horizon import Horizon
from cbi_common.core.identity import digest
from cbi_common.events.base import Contract, LakeRef, MarketId

Profile = Literal["smoke", "quick", "standard", "full"]


class Refit(Contract):
    """One refit date, the models fitted on it, why, and the columns the gate had taken out by then."""

    date: date
    session: int
    model_ids: tuple[str, ...]
    cause: str
    """``grid``, or the id of the event that asked for a retrain."""
    dropped_columns: tuple[str, ...] = ()


class ScoredWindow(Contract):
    """Cutoffs of one horizon: predicted from ``burn_in_start``, scored from ``start`` to ``end`` (session numbers)."""

    burn_in_start: int
    start: int
    end: int


class Member(Contract):
    """A model that the run expects a result of."""

    model_id: str
    horizon: Horizon


class RunManifest(Contract):
    """Everything that decides a run's outcome; its digest is the run id, its consumers are pure functions of it."""

    version: Literal[1] = 1
    market: MarketId
    as_of: date
    as_of_session: int
    profile: Profile
    simulated: bool
    datasets: dict[str, LakeRef]
    refits: tuple[Refit, ...]
    cutoff_every: int
    windows: dict[Horizon, ScoredWindow]
    members: tuple[Member, ...]
    catalogue_sha256: str

    @property
    def run_id(self) -> str:
        """First 16 hex digits of the manifest's digest."""
        return digest(self.model_dump(mode="json"))[:16]

    def cutoffs(self, horizon: Horizon) -> list[int]:
        """Return the sessions of every grid cutoff of ``horizon``, burn-in included, and as_of itself."""
        first = self.windows[horizon].burn_in_start
        grid = [s for s in range(first, self.as_of_session + 1) if s % self.cutoff_every == 0]
        return grid if grid and grid[-1] == self.as_of_session else [*grid, self.as_of_session]

    def refits_of(self, model_id: str) -> list[Refit]:
        """Return the refits of a model in the order of their dates."""
        return sorted((r for r in self.refits if model_id in r.model_ids), key=lambda r: r.session)
