"""The run manifest: one immutable object that fixes everything a run depends on."""

from __future__ import annotations

from datetime import date
from typing import Literal

from cbi_common.core.horizon import Horizon
from cbi_common.core.identity import digest
from cbi_common.events.base import Contract, LakeRef, MarketId

Profile = Literal["smoke", "quick", "standard", "full"]


GRID = "grid"
"""Cause of a refit that the grid alone asks for."""


class Refit(Contract):
    """One refit date, the models fitted on it, and why."""

    date: date
    session: int
    model_ids: tuple[str, ...]
    cause: str
    """``grid``, or the id of the event that asked for a retrain."""


class ScoredWindow(Contract):
    """Cutoffs of one horizon: predicted from ``burn_in_start``, scored from ``start`` to ``end`` (session numbers)."""

    early_start: int | None = None
    """First cutoff of the models that forecast all of the history; None where there is no such model."""
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
    usable_from: dict[str, dict[str, int]] = {}
    """Dataset to its columns that may be used at all, each with the first session at which a refit may use it.

    Decided from the rows up to that session, and for good: what was known once stays known. Of a dataset that is not
    named every column may be used.
    """
    refits: tuple[Refit, ...]
    cutoff_every: int
    windows: dict[Horizon, ScoredWindow]
    members: tuple[Member, ...]
    catalogue_sha256: str
    market_file: LakeRef | None = None
    """The market as the run knew it; None where the one that ships with the library is meant."""
    benchmark: LakeRef | None = None
    """Predictions of the benchmark that were there at as_of; None where the warehouse has none."""

    @property
    def run_id(self) -> str:
        """First 16 hex digits of the manifest's digest."""
        lacking = {"benchmark"} if self.benchmark is None else set()
        return digest(self.model_dump(mode="json", exclude=lacking))[:16]

    def cutoffs(self, horizon: Horizon, *, long: bool = False) -> list[int]:
        """Return the sessions of every grid cutoff of ``horizon``, burn-in included, and as_of itself.

        ``long``: those of a model that forecasts all of the history.
        """
        window = self.windows[horizon]
        first = window.early_start if long and window.early_start is not None else window.burn_in_start
        grid = [s for s in range(first, self.as_of_session + 1) if s % self.cutoff_every == 0]
        return grid if grid and grid[-1] == self.as_of_session else [*grid, self.as_of_session]

    def refits_of(self, model_id: str) -> list[Refit]:
        """Return the refits of a model in the order of their dates."""
        return sorted((r for r in self.refits if model_id in r.model_ids), key=lambda r: r.session)


class TargetComparison(Contract):
    """A table's own target beside the one that is recomputed from the canonical price, which alone is used."""

    column: str
    horizon: Horizon
    unit: Literal["price", "return"]
    filled: int
    """Rows on a session in which the table has a value."""
    compared: int
    """Those whose outcome was known by as_of."""
    share_equal: float | None
    """Share of the compared rows that agree within 0.1 % of the price; None when none could be compared."""
    max_deviation: float | None
    """Largest deviation, as a fraction of the price."""
    filled_before_outcome: int
    """Rows with a value though nobody could know the outcome."""
    frozen_tail: int
    """Rows at the end that hold one and the same value; 0 when the last two differ."""
    nearest_lead_sessions: int | None
    """Number of sessions ahead whose price the column agrees with most often."""
    nearest_lead_share: float | None
    """Share of the rows that agree with it."""


class TableRows(Contract):
    """What became of the rows of a wide table."""

    rows: int
    """Up to as_of."""
    duplicate_rows: int
    """Rows of a session that had one already: of each column the lower median of the distinct values is kept."""
    non_session_rows: int
    """Dropped: the exchange was closed."""
    sessions_without_row: int
    """Sessions between the first and the last row on which the last known values were carried."""


class DatasetManifest(Contract):
    """What a dataset is made of and what it is worth; lies in the lake beside it."""

    version: Literal[1] = 1
    name: str
    market: MarketId
    source: str
    """Table of the warehouse, or the canonical panel."""
    as_of: date
    sha256: str
    rows: int
    start: date
    end: date
    usable_columns: tuple[str, ...]
    """Columns that a model fitted at as_of may use."""
    dropped_columns: dict[str, str]
    """Every other column to the reason."""
    usable_from: dict[str, date]
    """Usable column to the first day at whose close a refit may use it."""
    target: str
    """Definition of the targets."""
    known_targets: dict[Horizon, int]
    """Rows whose outcome was known by as_of."""
    effective_rows: dict[str, float]
    """Weighting scheme to Kish's effective sample size."""
    table: TableRows | None = None
    own_targets: tuple[TargetComparison, ...] = ()
