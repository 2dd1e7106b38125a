"""A dataset out of the lake."""

from __future__ import annotations

import numpy as np

from cbi_common.core.errors import DataError
from cbi_common.events.base import LakeRef
from cbi_common.storage.lake import Lake
from cbi_common.storage.tables import get_table
from cbi_common.timeseries.dataset import INDEX_COLUMNS, Dataset


def load_dataset(lake: Lake, ref: LakeRef) -> Dataset:
    """Return the dataset that ``ref`` stands for.

    Raises
    ------
    DataError
        When an index column is missing, or sessions do not ascend, or a price is not positive.
    InfrastructureError
        When the object is missing or damaged.
    """
    table = get_table(lake, ref)
    if missing := [name for name in INDEX_COLUMNS if name not in table.column_names]:
        raise DataError(f"no column {', '.join(missing)}", where=ref.key, hint="export the data again")
    sessions = table["session"].to_numpy().astype(np.int64)
    price = table["price"].to_numpy().astype(np.float64)
    names = tuple(name for name in table.column_names if name not in INDEX_COLUMNS)
    features = [table[name].to_numpy().astype(np.float64) for name in names]
    if not (np.diff(sessions) > 0).all() or not (price > 0).all():
        raise DataError("sessions must ascend and prices be positive", where=ref.key, hint="export the data again")
    return Dataset(
        sessions=sessions,
        dates=table["date"].to_numpy().astype("datetime64[D]"),
        price=price,
        features=np.column_stack(features) if features else np.empty((len(sessions), 0)),
        names=names,
    )
