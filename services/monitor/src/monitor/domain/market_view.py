"""What the rules about the market look at: the panel as it was known, session by session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from cbi_common.timeseries.dataset import Floats, Ints


@dataclass(frozen=True)
class MarketView:
    """Rows of sessions, ascending; nothing after the last one is known.

    Attributes
    ----------
    sessions : (n,) int64
    dates : (n,) datetime64[D]
    price : (n,) float64
    series : name to (n,) float64
        Levels as known at the close, carried as long as the market file allows, NaN where not known.
    features : name to (n,) float64
        Features that models may see.
    """

    sessions: Ints
    dates: NDArray[np.datetime64]
    price: Floats
    series: Mapping[str, Floats]
    features: Mapping[str, Floats]

    def until(self, rows: int) -> MarketView:
        """Return the first ``rows`` rows."""
        return MarketView(
            self.sessions[:rows],
            self.dates[:rows],
            self.price[:rows],
            {name: values[:rows] for name, values in self.series.items()},
            {name: values[:rows] for name, values in self.features.items()},
        )

    def day(self, row: int) -> date:
        """Return the date of a row."""
        found: date = self.dates[row].item()
        return found


def changes(values: Floats) -> Floats:
    """Return (n,) changes to the row before: of the logarithm where all known values are positive; the first is NaN."""
    known = values[~np.isnan(values)]
    level = np.log(values) if len(known) and known.min() > 0 else values
    return np.diff(level, prepend=np.nan)
