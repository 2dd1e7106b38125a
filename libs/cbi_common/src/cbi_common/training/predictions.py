"""The table of walk-forward predictions: one row per cutoff of one model at one horizon."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cbi_common.core.horizon import Horizon
from cbi_common.events.base import LakeRef
from cbi_common.storage.lake import Lake
from cbi_common.storage.tables import get_table, put_table
from cbi_common.timeseries.dataset import Floats, Ints

_FIELDS: list[Any] = [
    ("model_id", pa.string()),
    ("horizon", pa.string()),
    ("cutoff", pa.date32()),
    ("session", pa.int64()),
    ("target_session", pa.int64()),
    ("refit_session", pa.int64()),
    ("price", pa.float64()),
    ("y_hat", pa.float64()),
    ("y", pa.float64()),
]
SCHEMA = pa.schema(_FIELDS)


@dataclass(frozen=True)
class Predictions:
    """What a model said at each cutoff, and what happened.

    Attributes
    ----------
    cutoffs : (n,) datetime64[D]
    sessions, refit_sessions : (n,) int64
        Ascending cutoffs and the refit that served each.
    price : (n,) float64
        Price at the cutoff.
    y_hat, y : (n,) float64
        Log return over the horizon, forecast and actual, or its standard deviation where the model forecasts
        volatility; ``y`` is NaN where the outcome was not known at as_of.
    """

    model_id: str
    horizon: Horizon
    cutoffs: NDArray[np.datetime64]
    sessions: Ints
    refit_sessions: Ints
    price: Floats
    y_hat: Floats
    y: Floats

    @property
    def target_sessions(self) -> Ints:
        """Session of each outcome."""
        return self.sessions + self.horizon.sessions

    def matured(self, start: int, end: int) -> Predictions:
        """Return the cutoffs from session ``start`` to ``end``, both included, whose outcome is known."""
        rows = (self.sessions >= start) & (self.sessions <= end) & np.isfinite(self.y)
        return replace(
            self,
            cutoffs=self.cutoffs[rows],
            sessions=self.sessions[rows],
            refit_sessions=self.refit_sessions[rows],
            price=self.price[rows],
            y_hat=self.y_hat[rows],
            y=self.y[rows],
        )

    def put(self, lake: Lake, key: str) -> LakeRef:
        """Store the table; an outcome that is not known is null."""
        n = len(self.sessions)
        columns: list[Any] = [
            pa.array([self.model_id] * n, pa.string()),
            pa.array([str(self.horizon)] * n, pa.string()),
            pa.array(self.cutoffs, pa.date32()),
            *(pa.array(values, pa.int64()) for values in (self.sessions, self.target_sessions, self.refit_sessions)),
            pa.array(self.price, pa.float64()),
            pa.array(self.y_hat, pa.float64()),
            pa.array(self.y, pa.float64(), mask=np.isnan(self.y)),
        ]
        return put_table(lake, key, pa.Table.from_arrays(columns, schema=SCHEMA))

    @classmethod
    def get(cls, lake: Lake, ref: LakeRef) -> Predictions:
        """Read a stored table.

        Raises
        ------
        InfrastructureError
            When the object is missing or damaged.
        """
        table = get_table(lake, ref)
        return cls(
            model_id=table["model_id"][0].as_py(),
            horizon=Horizon(table["horizon"][0].as_py()),
            cutoffs=table["cutoff"].to_numpy().astype("datetime64[D]"),
            sessions=table["session"].to_numpy(),
            refit_sessions=table["refit_session"].to_numpy(),
            price=table["price"].to_numpy(),
            y_hat=table["y_hat"].to_numpy(),
            y=table["y"].to_numpy().astype(np.float64),
        )
