"""Events of the ingest context."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from cbi_common.events.base import Contract, EventData, LakeRef, MarketId, Sha256
from cbi_common.events.manifest import Profile, Refit

Severity = Literal["info", "repaired", "rejected"]
Verdict = Literal["ok", "repaired", "rejected", "unused"]


class Finding(Contract):
    """One flaw that a named check found in a table."""

    check: str
    count: Annotated[int, Field(ge=0)]
    detail: str
    severity: Severity = "info"
    """``info`` changes no value, ``repaired`` drops rows, ``rejected`` a column or the table."""
    columns: tuple[str, ...] = ()
    """The first columns concerned."""
    done: str = ""
    """What was done about it."""


class TableQuality(Contract):
    """Verdict of the gate on one table."""

    rows: int
    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    newest: date | None = None
    """Day of its newest usable row up to as_of; None where nothing of it is used."""


class Dataset(Contract):
    """An exported dataset: where it lies and what it holds."""

    ref: LakeRef
    sha256: Sha256
    rows: int
    columns: int
    start: date
    end: date
    dropped_columns: dict[str, str] = {}
    """Column name to the reason it was dropped."""
    source: str | None = None
    """Table it was made of; None: the canonical panel."""
    effective_rows: dict[str, float] = {}
    """Weighting scheme to Kish's effective sample size."""
    manifest: LakeRef | None = None
    """Claim check of its `DatasetManifest`."""


class DataRequested(EventData):
    """An export is asked for."""

    subject: ClassVar[str] = "data.requested"
    begins_pass: ClassVar[bool] = True

    market: MarketId
    as_of: date | None = None
    """None: the last date of the market's price table."""
    profile: Profile = "quick"
    datasets: tuple[str, ...] = ()
    reason: str = "by hand"
    refit: bool = False
    """Fit every model at as_of, whatever the grid of refits says; the id of this event is the refit's cause."""
    refits: tuple[Refit, ...] | None = None
    """Refits off the grid to go on with; None: those of the latest export."""
    scope: Literal["all", "used"] = "all"
    """What is audited and exported: all that the warehouse has, or what the models of the profile need. No forecast
    depends on it."""


class DataExported(EventData):
    """Datasets are in the lake and good enough to train on.

    Published by hand it needs only the market: ingest completes it with the latest export, every model is refitted at
    its as_of, and the completed event (with a manifest) is the one that the other services act on.
    """

    subject: ClassVar[str] = "data.exported"

    market: MarketId
    as_of: date | None = None
    profile: Profile | None = None
    reason: str = "by hand"
    run_id: str | None = None
    manifest: LakeRef | None = None
    warehouse: str | None = None
    simulated: bool | None = None
    title: str = ""
    """What the market is called."""
    unit: str = ""
    """Unit of every price of the run, such as ¢/lb."""
    datasets: dict[str, Dataset] = {}
    absent: dict[str, str] = {}
    """What the market file names and could not be made (a dataset, ``news``) to the reason."""
    quality: dict[str, TableQuality] = {}
    quality_report: LakeRef | None = None
    """The full report: every finding of every column, with its first rows; what became of the news."""
    news: LakeRef | None = None
    """The articles behind the sentiment of each session; None where there is none."""

    @property
    def complete(self) -> bool:
        """Whether the export carries its manifest: only then do services act on it."""
        return self.manifest is not None


class DataRejected(EventData):
    """The gate refused: nothing trains on this data."""

    subject: ClassVar[str] = "data.rejected"

    market: MarketId
    as_of: date | None
    profile: Profile
    warehouse: str
    simulated: bool
    table: str
    check: str
    message: str
    count: int
    sample_rows: tuple[dict[str, Any], ...] = ()
    quality: dict[str, TableQuality] = {}
    quality_report: LakeRef | None = None
    """The full report: every finding of every column, with its first rows."""
