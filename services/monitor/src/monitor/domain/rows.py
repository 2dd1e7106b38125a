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

    def until(self, session: int) -> Rows:
        """Return the rows whose outcome was known at the close of ``session``."""
        return self.where(self.target_sessions <= session)

    def independent(self, horizon: int) -> Rows:
        """Return rows whose outcomes do not overlap, the newest among them."""
        keep = np.zeros(len(self.sessions), dtype=bool)
        free = np.iinfo(np.int64).max
        for row in range(len(self.sessions) - 1, -1, -1):
            if self.target_sessions[row] <= free:
                keep[row], free = True, self.target_sessions[row] - horizon
        return self.where(keep)

    def errors(self) -> Floats:
        """Return the absolute errors as fractions of the outcome, (n,) float64."""
        return np.asarray(np.abs(np.expm1(self.y_hat - self.y)))

    def unchanged_errors(self) -> Floats:
        """Return those of no-change."""
        return np.asarray(np.abs(np.expm1(-self.y)))

    def inside(self) -> NDArray[np.bool_]:
        """Return which outcomes lie in their band, (n,); False where there was no band."""
        outcome = self.price * np.exp(self.y)
        return np.asarray((self.lower <= outcome) & (outcome <= self.upper))

    def coverage(self) -> float | None:
        """Return the share of outcomes inside their band, None when no row has a band."""
        banded = ~(np.isnan(self.lower) | np.isnan(self.upper))
        if not banded.any():
            return None
        return float(self.inside()[banded].mean())
