"""Forecasts as served at past cutoffs and matured since, out of the lake."""

from __future__ import annotations

import numpy as np

from cbi_common.core.horizon import Horizon
from cbi_common.events.forecast import ForecastReady
from cbi_common.storage.lake import Lake
from cbi_common.storage.tables import get_table
from monitor.domain.rows import Rows

_COLUMNS = ("session", "target_session", "price", "y_hat", "y", "lower", "upper")


def served_rows(lake: Lake, forecast: ForecastReady) -> dict[Horizon, Rows]:
    """Return the matured forecasts of every horizon that has a live one, all of them, ascending by cutoff."""
    table = get_table(lake, forecast.served)
    columns = {name: table[name].to_numpy() for name in (*_COLUMNS, "horizon")}
    known = ~np.isnan(columns["y"])
    keep = {horizon: known & (columns["horizon"] == str(horizon)) for horizon in forecast.forecasts}
    return {horizon: Rows(*(columns[name][rows] for name in _COLUMNS)) for horizon, rows in keep.items()}
