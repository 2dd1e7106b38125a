"""A package that forecasts: members, weights and bands, from its own rows or from rows changed on request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cbi_common.core.errors import InfrastructureError, UsageError
from cbi_common.core.horizon import Horizon
from cbi_common.timeseries.calendar import session_date
from cbi_common.timeseries.dataset import Dataset
from cbi_common.training.live_model import loader_of
from cbi_common.training.served_model import ARTIFACT, Description, ServedModel
from cbi_common.training.served_model import DESCRIPTION as MODEL_DESCRIPTION
from promoter.domain.package import DESCRIPTION, LAYOUT, Package, PackagedHorizon, PackagedMember

OWN = ("session", "price")

KEPT = 256
"""Answers that an artifact keeps: the gates ask each 135 times, and anew for every horizon that it serves."""


@dataclass(frozen=True)
class Served:
    """A forecast of one horizon, prices in the market's unit.

    Attributes
    ----------
    point, lower_90, upper_90 : price
    log_return : float
        Of the members and their weights; ``point`` is the current price times its exponential.
    groups : driver group to its share of ``point - current``, as explained at as_of
    changed : driver group to what the changes asked for add to ``point``
    """

    point: float
    lower_90: float
    upper_90: float
    log_return: float
    groups: dict[str, float]
    changed: dict[str, float]


class _Fitted:
    """An artifact and the rows that it sees; all horizons that it serves share it, and what it has said already."""

    def __init__(self, model: ServedModel, rows: Dataset) -> None:
        self.model, self.rows = model, rows
        self.says = lru_cache(maxsize=KEPT)(self._says)

    def _says(self, changes: frozenset[tuple[str, float]]) -> tuple[float, ...]:
        said = self.model.learner.forecast(self.model.model, changed(self.rows, dict(changes)))
        return tuple(float(value) for value in said)


@dataclass(frozen=True)
class _Loaded:
    member: PackagedMember
    description: Description
    fitted: _Fitted

    def says(self, changes: Mapping[str, float]) -> float:
        """Return the log return that it forecasts, with some features changed."""
        seen = frozenset((name, value) for name, value in changes.items() if name in self.fitted.rows.names)
        return self.fitted.says(seen)[self.description.horizons.index(self.description.horizon)]


class PackagedModel:
    """A package in memory.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    InfrastructureError
        When the folder is no package, or of another layout.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self.package = Package.model_validate_json((folder / DESCRIPTION).read_bytes())
        except (OSError, ValueError) as error:
            said = " ".join(str(error).split())[:200]
            raise InfrastructureError(
                f"no package: {said}", where=str(folder), hint="`cbi package` writes one"
            ) from None
        if self.package.layout != LAYOUT:
            raise InfrastructureError(f"layout {self.package.layout}, this program reads {LAYOUT}", where=str(folder))
        loader = _Loader(folder)
        self._members: dict[Horizon, list[_Loaded]] = {
            horizon: [loader.load(member) for member in found.members]
            for horizon, found in self.package.horizons.items()
        }

    def moved(self, rows_of: Callable[[PackagedMember, Description], Dataset]) -> PackagedModel:
        """Return the same models on the rows of another day.

        Parameters
        ----------
        rows_of : what a member sees that day, its features in the order of the description
        """
        other = copy(self)
        other._members = {
            horizon: [
                replace(one, fitted=_Fitted(one.fitted.model, rows_of(one.member, one.description))) for one in members
            ]
            for horizon, members in self._members.items()
        }
        return other

    def horizon(self, horizon: Horizon) -> PackagedHorizon:
        """Return what is stored of a horizon.

        Raises
        ------
        UsageError
            When the package has none.
        """
        found = self.package.horizons.get(horizon)
        if found is None:
            known = ", ".join(map(str, self.package.horizons))
            raise UsageError(f"no forecast at {horizon}", where=self.package.run_id, hint=f"there are {known}")
        return found

    def features(self, horizon: Horizon) -> dict[str, float]:
        """Return every feature that some member of a horizon sees, with its value at as_of (NaN: not known)."""
        self.horizon(horizon)
        found: dict[str, float] = {}
        for one in self._members[horizon]:
            found |= dict(zip(one.fitted.rows.names, one.fitted.rows.features[-1].tolist(), strict=True))
        return found

    def log_return(self, horizon: Horizon, changes: Mapping[str, float] | None = None) -> float:
        """Return the weighted sum of what the members say.

        Parameters
        ----------
        changes : feature to the value that it is to have at as_of
        """
        self.horizon(horizon)
        return sum((one.member.weight * one.says(changes or {}) for one in self._members[horizon]), 0.0)

    def forecast(self, horizon: Horizon, changes: Mapping[str, float] | None = None) -> Served:
        """Return the forecast of a horizon, from its rows as they are or with some values changed.

        The band moves with the point. What the changes add is told by driver group: each group's changes are put in
        one after the other, in the order of their names, so the steps add up.

        Raises
        ------
        UsageError
            For a horizon or a feature that nothing here knows, or a value that is no number.
        """
        stored, changes = self.horizon(horizon), dict(changes or {})
        known = self.features(horizon)
        for name, value in changes.items():
            if name not in known:
                raise UsageError(
                    f"no member sees a feature {name!r}", where=str(horizon), hint="GET /features lists them"
                )
            if not np.isfinite(value):
                raise UsageError(f"{name} must be a number", where=str(horizon))
        said = before = self.log_return(horizon)
        steps: dict[str, float] = {}
        put: dict[str, float] = {}
        for group in sorted({self._group(name) for name in changes}):
            put |= {name: value for name, value in changes.items() if self._group(name) == group}
            said = self.log_return(horizon, put)
            steps[group], before = stored.current * float(np.exp(said) - np.exp(before)), said
        point = stored.current * float(np.exp(said))
        return Served(
            point=point,
            lower_90=point * stored.lower_90 / stored.point,
            upper_90=point * stored.upper_90 / stored.point,
            log_return=said,
            groups=dict(stored.groups),
            changed=steps,
        )

    def shocked(self, horizon: Horizon, moves: Mapping[str, float]) -> dict[str, float]:
        """Return the feature changes that moves of some series today amount to.

        Parameters
        ----------
        moves : series to its move as a fraction (0.05: five percent up)

        Raises
        ------
        UsageError
            For a series that no feature follows, or a move of -100 % or less.
        """
        now, changes = self.features(horizon), dict[str, float]()
        for series, move in moves.items():
            features = self.package.drivers.get(series)
            if not features:
                known = ", ".join(sorted(self.package.drivers))
                raise UsageError(f"no driver {series!r}", where="moves", hint=f"there are {known}")
            if not (np.isfinite(move) and move > -1):
                raise UsageError(f"{series} cannot move by {move}", where="moves", hint="give a fraction above -1")
            for name, how in features.items():
                if np.isfinite(now.get(name, np.nan)):
                    changes[name] = now[name] + float(np.log1p(move)) if how == "log" else now[name] * (1.0 + move)
        return changes

    def _group(self, feature: str) -> str:
        return self.package.group_of.get(feature, "ungrouped")


def changed(rows: Dataset, changes: Mapping[str, float]) -> Dataset:
    """Return the rows with some values of the last one changed."""
    features = rows.features.copy()
    for name, value in changes.items():
        features[-1, rows.names.index(name)] = value
    return replace(rows, features=features)


class _Loader:
    """Loads members; one artifact that sees the same rows at several horizons is loaded once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._fitted: dict[tuple[str, bytes, bytes], _Fitted] = {}

    def load(self, member: PackagedMember) -> _Loaded:
        place = self._folder / member.folder
        artifact, rows = (place / ARTIFACT).read_bytes(), (self._folder / member.rows).read_bytes()
        key = (member.device, artifact, rows)
        if key not in self._fitted:
            self._fitted[key] = _Fitted(loader_of(member.device)(str(place)), _rows(rows))
        description = Description.model_validate_json((place / MODEL_DESCRIPTION).read_bytes())
        return _Loaded(member, description, self._fitted[key])


def _rows(stored: bytes) -> Dataset:
    table: Any = pq.read_table(pa.BufferReader(stored))
    names = tuple(name for name in table.column_names if name not in OWN)
    sessions = table["session"].to_numpy().astype(np.int64)
    return Dataset(
        sessions=sessions,
        dates=np.array([session_date(int(session)) for session in sessions], dtype="datetime64[D]"),
        price=table["price"].to_numpy().astype(np.float64),
        features=np.column_stack([table[name].to_numpy() for name in names]) if names else np.empty((len(sessions), 0)),
        names=names,
    )
