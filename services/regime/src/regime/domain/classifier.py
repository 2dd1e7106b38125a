"""What the regime classifier sees, and the folds it walks forward through."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cbi_common.timeseries.dataset import Floats, Ints
from cbi_common.timeseries.folds import refit_grid
from cbi_common.timeseries.regimes import UNKNOWN, trailing_return, trailing_volatility

REFIT_EVERY = 126
"""Sessions between two fits, on the absolute grid: old fits never move when a day is added."""

LEAST_LABELS = 252
"""Labelled sessions that a fit needs."""

_RETURNS = (1, 5, 10, 30, 63)
_VOLATILITIES = (10, 30, 63)
FEATURES: tuple[str, ...] = (
    *(f"return_{n}" for n in _RETURNS),
    *(f"volatility_{n}" for n in _VOLATILITIES),
    "fear",
    "fear_change_5",
    "fear_mean_21",
)


def features(sessions: Ints, price: Floats, fear: Floats) -> Floats:
    """Return the classifier's features, each row from its own close and earlier.

    Parameters
    ----------
    sessions : (n,) int64, ascending
    price, fear : (n,) float64
        The index of fear is NaN where it was not known.

    Returns
    -------
    (n, len(FEATURES)) float64
        NaN where a value was not known; the learner treats NaN as a value of its own.
    """
    columns = [trailing_return(sessions, price, n) for n in _RETURNS]
    columns += [trailing_volatility(sessions, price, n, n * 5 // 6) for n in _VOLATILITIES]
    columns += [fear, trailing_return(sessions, fear, 5), _trailing_mean(fear, 21)]
    return np.column_stack(columns)


@dataclass(frozen=True)
class Fold:
    """One fit: rows ``train`` are known at the refit, rows ``[start, end)`` are served by it."""

    refit_session: int
    train: Ints
    start: int
    end: int


def folds(sessions: Ints, labels: Ints, first_session: int) -> list[Fold]:
    """Return the folds that serve every session from ``first_session`` on, as far as labels suffice.

    Parameters
    ----------
    sessions, labels : (n,) int64
        A label is known at the close of its own session.
    first_session : int
        Sessions before it need not be served.

    Returns
    -------
    list of Fold
        Ascending; a refit with fewer than `LEAST_LABELS` labelled sessions is left out.
    """
    labelled = np.flatnonzero(labels != UNKNOWN)
    found = []
    for refit in refit_grid(first_session, int(sessions[-1]), REFIT_EVERY):
        train = labelled[sessions[labelled] <= refit]
        start, end = np.searchsorted(sessions, [refit, refit + REFIT_EVERY])
        if len(train) >= LEAST_LABELS and start < end:
            found.append(Fold(refit, train, int(start), int(end)))
    return found


def _trailing_mean(values: Floats, length: int) -> Floats:
    result = np.full(len(values), np.nan)
    for row in range(length - 1, len(values)):
        result[row] = values[row - length + 1 : row + 1].mean()
    return result
