"""A trend and a season of the year, as Prophet fits them, carried on from any day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cbi_common.timeseries.dataset import Floats

YEAR_DAYS = 365.25


@dataclass(frozen=True)
class Curve:
    """What Prophet found in a log price (Taylor & Letham, 2018): its last slope and its season.

    Attributes
    ----------
    slope : float
        Change per calendar day of the last stretch of the trend.
    season : tuple of float
        Coefficients of sin and cos of 1, 2, … turns a year, counted in days since 1970-01-01.
    """

    slope: float
    season: tuple[float, ...]

    def at(self, day: np.datetime64) -> float:
        """Return trend and season on a day, up to a constant."""
        days = float(day.astype("datetime64[D]").astype(np.int64))
        turns = 2 * np.pi * np.arange(1, len(self.season) // 2 + 1) * days / YEAR_DAYS
        waves: Floats = np.column_stack([np.sin(turns), np.cos(turns)]).ravel()
        return self.slope * days + float(waves @ np.array(self.season))

    def change(self, start: np.datetime64, end: np.datetime64) -> float:
        """Return the log return that trend and season make between two days.

        The distance of the price from the curve is no part of it: that gap is the last shock, not a promise to return.
        """
        return self.at(end) - self.at(start)
