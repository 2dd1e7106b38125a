"""The canonical panel: one row per session that has a price, every series as known at its close."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cbi_common.markets.spec import Market, SeriesSpec
from cbi_common.timeseries.dataset import INDEX_COLUMNS
from cbi_common.timeseries.panel import as_known
from ingest.domain.rows import Rows

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Panel:
    """Columns of equal length, ascending by session.

    Attributes
    ----------
    sessions : (n,) int64
    dates : (n,) datetime64[D]
    price : (n,) float64
        > 0, in the market's unit.
    series : name to (n,) float64
        Raw level as known at the close, NaN where not known; a series that did not come through the gate is absent.
    """

    sessions: NDArray[np.int64]
    dates: NDArray[np.datetime64]
    price: Floats
    series: dict[str, Floats]

    def rows(self, which: NDArray[np.bool_]) -> Panel:
        """Return the rows that a mask chooses, without the series."""
        return Panel(self.sessions[which], self.dates[which], self.price[which], {})

    def table(self, columns: Mapping[str, Floats]) -> pa.Table:
        """Return session, date, price and the given columns as an Arrow table."""
        arrays: list[pa.Array[Any]] = [pa.array(self.sessions), pa.array(self.dates, pa.date32()), pa.array(self.price)]
        arrays += [pa.array(values) for values in columns.values()]
        return pa.Table.from_arrays(arrays, names=[*INDEX_COLUMNS, *columns])


def build_panel(market: Market, series: Mapping[str, Rows]) -> Panel:
    """Join all series to the sessions of the price, each as known then (its release lag and staleness limit hold).

    Parameters
    ----------
    market : Market
    series : name to its rows, one per session in ascending order
        Holds at least the price.
    """
    price = series[market.price]
    known = {spec.name: _as_known(price, spec, series[spec.name]) for spec in market.series if spec.name in series}
    return Panel(price.sessions, price.days, price.values, known)


def _as_known(price: Rows, spec: SeriesSpec, rows: Rows) -> Floats:
    for first, last in spec.late:
        rows = rows.take((rows.days < np.datetime64(first)) | (rows.days > np.datetime64(last)))
    return as_known(
        price.sessions,
        rows.sessions,
        rows.values,
        release_lag_sessions=spec.release_lag_sessions,
        staleness_sessions=spec.staleness_sessions,
    )
