"""Rows of a dataset, as a model wants them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cbi_common.core.errors import DataError
from cbi_common.timeseries.dataset import Dataset, Floats, Ints


@dataclass(frozen=True)
class Rows:
    """What was known at n cutoffs.

    Attributes
    ----------
    names : p feature names
    values : (n, p) float64
        NaN where unknown.
    """

    names: tuple[str, ...]
    values: Floats

    @classmethod
    def at(cls, dataset: Dataset, sessions: Ints) -> Rows:
        """Return the rows of some sessions, which the dataset has."""
        return cls(dataset.names, dataset.features[np.searchsorted(dataset.sessions, sessions)])

    def of(self, names: Sequence[str]) -> Floats:
        """Return the values of some features, (n, k).

        Raises
        ------
        DataError
            When the rows lack one.
        """
        place = {name: column for column, name in enumerate(self.names)}
        if lost := [name for name in names if name not in place]:
            what = f"no column {lost[0]!r} for a model that was fitted on it"
            raise DataError(what, where="explain", hint="train again")
        return self.values[:, [place[name] for name in names]]
