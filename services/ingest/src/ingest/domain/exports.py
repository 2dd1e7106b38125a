"""Files of `cbi export`: rows of a dataset with recomputed targets and training weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cbi_common.core.horizon import Horizon
from cbi_common.timeseries.dataset import targets
from cbi_common.timeseries.eras import Era, Scheme, era_of, era_weights, kish_effective_size

SCHEMES: tuple[Scheme, ...] = ("plan", "capped", "uniform")


def effective_rows(dates: NDArray[np.datetime64], eras: Sequence[Era]) -> dict[str, float]:
    """Return Kish's effective sample size of the rows under every weighting scheme, to one decimal.

    Raises
    ------
    DataError
        When a date belongs to no era.
    """
    return {scheme: round(kish_effective_size(era_weights(dates, eras, scheme)), 1) for scheme in SCHEMES}


def known_targets(sessions: NDArray[np.int64], price: NDArray[np.float64]) -> dict[Horizon, int]:
    """Return how many rows have an outcome at each horizon."""
    return {h: int((~np.isnan(targets(sessions, price, h.sessions))).sum()) for h in Horizon}


def file_table(dataset: pa.Table, columns: Sequence[str], horizons: Sequence[Horizon]) -> pa.Table:
    """Return date, session, price, features and targets of a stored dataset.

    Parameters
    ----------
    dataset : pa.Table
        Its price says what the targets are.
    columns : sequence of str
        Features, in the order of the file.
    horizons : sequence of Horizon
        A target is NaN where the outcome was not known at as_of.
    """
    sessions, price = dataset["session"].to_numpy(), dataset["price"].to_numpy()
    labels = {f"target_{h}": pa.array(targets(sessions, price, h.sessions)) for h in horizons}
    table = dataset.select(["date", "session", "price", *columns])
    for name, values in labels.items():
        table = table.append_column(name, values)
    return table


def era_rows(table: pa.Table, eras: Sequence[Era], wanted: Sequence[str]) -> pa.Table:
    """Return the rows of the eras whose names are wanted, or all when none is.

    A row at the end of an era keeps its target, although the outcome lies in the next one.
    """
    if not wanted:
        return table
    place = [i for i, era in enumerate(eras) if era.name in wanted]
    return table.filter(pa.array(np.isin(era_of(_days(table), eras), place))).combine_chunks()


def weighted_rows(table: pa.Table, eras: Sequence[Era]) -> tuple[pa.Table, dict[str, float]]:
    """Return the table with its weights, mean 1 under every scheme, and their effective sample sizes."""
    dates = _days(table)
    for scheme in SCHEMES:
        table = table.append_column(f"weight_{scheme}", pa.array(era_weights(dates, eras, scheme)))
    return table, effective_rows(dates, eras)


def _days(table: pa.Table) -> NDArray[np.datetime64]:
    days: NDArray[np.datetime64] = table["date"].to_numpy().astype("datetime64[D]")
    return days
