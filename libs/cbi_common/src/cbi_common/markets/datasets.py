"""Wide tables of the warehouse as datasets of a market, and the files that `cbi export` writes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import translate
from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from cbi_common.core.horizon import Horizon

DatasetName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
FileName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.]{0,63}$")]

MARKET_DATASETS = ("panel", "full")
"""Datasets that every market has: its canonical panel, and the features of its market file."""

TargetUnit = Literal["price", "return"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ColumnRule(_Frozen):
    """What is true of some columns of the wide tables and cannot be seen in them."""

    columns: tuple[str, ...] = Field(min_length=1)
    """Names, or patterns such as ``cftc_*``."""
    drop: str | None = None
    """Why the columns may not be used."""
    lag_sessions: int | None = Field(default=None, ge=0)
    """Sessions from the row's day to the close at which the value is known; None: the dataset's."""
    frozen_after: int | None = Field(default=None, ge=2)
    """Equal values in a row that are believed; None: the dataset's."""
    above: float | None = None
    """Values must be greater; others are unknown."""
    factor: float | None = Field(default=None, gt=0)
    """What a copy is times the series it was copied from, where it is in another unit on purpose."""

    def matches(self, column: str) -> bool:
        """Return whether the rule speaks of ``column``."""
        return self._pattern.match(column) is not None

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile("|".join(translate(pattern) for pattern in self.columns))


class DatasetSpec(_Frozen):
    """A wide table, one row per day, used as a dataset beside ``full``."""

    name: DatasetName
    table: str
    date: str
    """Column that holds the day."""
    targets: dict[Horizon, TargetUnit] = {}
    """Horizon of each column ``target_HORIZON`` to what it claims to hold. They are compared and never used."""
    lag_sessions: int = Field(default=0, ge=0)
    """Sessions from the row's day to the close at which its values are known, unless a rule says otherwise."""
    staleness_sessions: int = Field(default=5, ge=0)
    """Sessions a value may be carried beyond the close at which it became known."""
    frozen_after: int = Field(default=66, ge=2)
    """Equal values in a row that are believed: the sessions of the longest quarter, so that a quarterly figure filled
    forward day by day survives until its successor."""

    def target_columns(self) -> dict[str, Horizon]:
        """Return the names of the table's own targets."""
        return {f"target_{horizon}": horizon for horizon in self.targets}


class ExportSpec(_Frozen):
    """A file of `cbi export`: a dataset, or its rows of some eras."""

    file: FileName
    """Name without ``.parquet``."""
    dataset: str
    eras: tuple[str, ...] = ()
    """Names of eras; none: all rows."""
    horizons: tuple[Horizon, ...] = Field(default=tuple(Horizon), min_length=1)
    """Horizons whose target the file holds."""


def rule_of(rules: Iterable[ColumnRule], column: str) -> ColumnRule:
    """Return the first rule that speaks of ``column``, or one that says nothing special."""
    return next((rule for rule in rules if rule.matches(column)), ColumnRule(columns=(column,)))


def dangling(datasets: Iterable[DatasetSpec], exports: Iterable[ExportSpec], eras: Mapping[str, object]) -> list[str]:
    """Return what is wrong with the references between datasets, files and eras, one line each."""
    names = [dataset.name for dataset in datasets]
    wrong = [f"datasets: {name!r} is a name of its own" for name in names if name in MARKET_DATASETS]
    wrong += [f"two datasets entries are called {name!r}" for name in sorted({n for n in names if names.count(n) > 1})]
    files = [export.file for export in exports]
    wrong += [f"two exports entries are called {name!r}" for name in sorted({f for f in files if files.count(f) > 1})]
    for export in exports:
        if export.dataset not in (*names, "full"):
            wrong.append(f"export {export.file}: no dataset {export.dataset!r}")
        wrong += [f"export {export.file}: no era {era!r}" for era in export.eras if era not in eras]
    return wrong
