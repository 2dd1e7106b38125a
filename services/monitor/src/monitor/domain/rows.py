"""Matured forecasts of one horizon, as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cbi_common.timeseries.dataset import Floats, Ints


@dataclass(frozen=True)
class Rows:
    """One row per matured forecast, ascending by cutoff; prices in one unit.

    Attributes
    ----------
    sessions, target_sessions : (n,) int64
    price : (n,) float64
        Price at the cutoff.
    y_hat, y : (n,) float64
        Log return over the horizon, forecast and actual; no NaN.
    lower, upper : (n,) float64
        Ends of the 90 % band, NaN where none was given.
    """

    sessions: Ints
    target_sessions: Ints
    price: Floats
    y_hat: Floats
    y: Floats
    lower: Floats
    upper: Floats

    def where(self, keep: NDArray[np.bool_]) -> Rows:
        """Return the rows marked in ``keep`` (n,)."""
        return Rows(*(getattr(self, name)[keep] for name in self.__dataclass_fields__))

    def coverage(self) -> float | None:
        """Return the share of outcomes inside their band, None when no row has a band."""
        banded = ~(np.isnan(self.lower) | np.isnan(self.upper))
        if not banded.any():
            return None
        outcome = (self.price * np.exp(self.y))[banded]
        return float(((self.lower[banded] <= outcome) & (outcome <= self.upper[banded])).mean())
