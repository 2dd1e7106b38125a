"""Which driver moved most before a cutoff: the question that a decomposition of errors by driver answers.

It is known at the cutoff and needs no model: of the series with an expected sign, the one whose move of a month was
largest in units of its own volatility. An attribution would name what the models looked at, but only for the live
cutoff; this names what there was to look at, for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cbi_common.timeseries.dataset import Floats
from monitor.domain.market_view import changes

QUIET = "none"
"""Label where no driver has moved by more than one standard deviation."""

MONTH, YEAR = 21, 252
_LEAST = 1.0


def month_in_deviations(values: Floats) -> Floats:
    """Return the move over a month in standard deviations of the year before it, (n,) float64, NaN where not known."""
    daily = changes(values)
    known = np.nan_to_num(daily)
    total = np.concatenate([[0.0], np.cumsum(known)])
    squares = np.concatenate([[0.0], np.cumsum(known**2)])
    result = np.full(len(values), np.nan)
    end = np.arange(MONTH + YEAR, len(values) + 1)
    move = total[end] - total[end - MONTH]
    spread = np.sqrt((squares[end - MONTH] - squares[end - MONTH - YEAR]) / YEAR * MONTH)
    there = ~np.isnan(values[end - 1]) & (spread > 0)
    result[end[there] - 1] = move[there] / spread[there]
    return result


def largest_movers(series: Mapping[str, Floats], names: Sequence[str]) -> list[str | None]:
    """Return for each row the driver that moved most, `QUIET` when none did, None where no driver is known.

    Parameters
    ----------
    series : name to (n,) float64
    names : the drivers, those that ``series`` lacks are ignored
    """
    there = [name for name in names if name in series]
    if not there:
        return []
    sizes = np.abs(np.column_stack([month_in_deviations(series[name]) for name in there]))
    known = ~np.isnan(sizes).all(axis=1)
    filled = np.nan_to_num(sizes, nan=-1.0)
    largest, by = filled.max(axis=1), filled.argmax(axis=1)
    return [
        None if not k else QUIET if size < _LEAST else there[i] for k, size, i in zip(known, largest, by, strict=True)
    ]
