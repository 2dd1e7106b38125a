"""What `cbi export` says of the files that it writes."""

from __future__ import annotations

import json
from datetime import date
from typing import Literal

from cbi_common.events.base import Contract
from cbi_common.events.manifest import TableRows, TargetComparison

WEIGHTS = (
    "weight_plan by the era's weight, weight_capped with no era above 40 % of the total (or its share of the rows), "
    "weight_uniform all alike; mean 1; the list of eras is hindsight"
)


class FileReport(Contract):
    """What a file holds and where it comes from."""

    dataset: str
    source: str
    eras: tuple[str, ...]
    """Eras whose rows it holds; none: all rows."""
    rows: int
    columns: tuple[str, ...]
    features: int
    start: date
    end: date
    sha256: str
    size_bytes: int
    target: str
    known_targets: dict[str, int]
    """Target column to the rows whose outcome was known by as_of; the others are NaN."""
    effective_rows: dict[str, float]
    """Weighting scheme to Kish's effective sample size of the file's rows."""
    dropped_columns: dict[str, str]
    usable_from: dict[str, date]
    """Feature to the first day at whose close a model may be fitted with it."""
    table: TableRows | None
    own_targets: tuple[TargetComparison, ...]
    """The table's own targets beside the recomputed ones, which alone are in the file."""


class ExportManifest(Contract):
    """What lies in the folder; equal inputs give equal bytes, so it holds no time of day."""

    version: Literal[1] = 1
    made_by: Literal["cbi export"] = "cbi export"
    market: str
    unit: str
    """Of the price."""
    as_of: date
    warehouse: str
    simulated: bool
    weights: str = WEIGHTS
    files: dict[str, FileReport]
    skipped: dict[str, str]
    """File that was not written to the reason."""

    def to_json(self) -> bytes:
        """Return the bytes of the manifest file."""
        whole = self.model_dump(mode="json")
        return (json.dumps(whole, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()
