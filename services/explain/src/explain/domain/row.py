"""The live row of a dataset, as a model wants it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cbi_common.core.errors import DataError
from cbi_common.timeseries.dataset import Floats

Row = Mapping[str, float]
"""Feature name to value, NaN where unknown."""


def values_of(names: Sequence[str], row: Row) -> Floats:
    """Return the values of some features, (1, p).

    Raises
    ------
    DataError
        When the row lacks one.
    """
    if lost := [name for name in names if name not in row]:
        raise DataError(f"no column {lost[0]!r} for a model that was fitted on it", where="explain", hint="train again")
    return np.array([[row[name] for name in names]], dtype=np.float64)
