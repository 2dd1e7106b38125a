"""The filter of a hidden Markov chain whose states are the labels: belief from the moves in their order.

A tree sees a day's windows, not the path that led there. The filter of Hamilton (1989, Econometrica 57:357-384) carries
yesterday's belief into today, so whatever a label does to mean and scale of the moves is weighed over as many sessions
as it lasts. Its parameters are counts and moments of labelled sessions: nothing is searched for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cbi_common.timeseries.dataset import Floats, Ints
from cbi_common.timeseries.regimes import CLASSES, UNKNOWN, trailing_return
from regime.domain.transition import transition

_PRIOR = 21
"""Sessions that the pooled moments weigh in those of a class: a class seen for a day gets no variance of nought."""


@dataclass(frozen=True)
class Moves:
    """What the filter reads, one row per session; NaN where a value was not known.

    Attributes
    ----------
    change : (n,) log return of the price over one session
    fear_change : (n,) log change of the index of fear over one session
    fear_before : (n,) log of the index of fear on the session before
    """

    change: Floats
    fear_change: Floats
    fear_before: Floats

    def until(self, end: int) -> Moves:
        """Return the first ``end`` rows."""
        return Moves(self.change[:end], self.fear_change[:end], self.fear_before[:end])


def moves(sessions: Ints, price: Floats, fear: Floats) -> Moves:
    """Return the moves of every session.

    Parameters
    ----------
    sessions : (n,) int64, ascending
    price, fear : (n,) float64, > 0
        The index of fear is NaN where it was not known.
    """
    change, fear_change = (np.log1p(trailing_return(sessions, values, 1)) for values in (price, fear))
    return Moves(change, fear_change, np.log(fear) - fear_change)


@dataclass(frozen=True)
class Belief:
    """A fitted filter; k classes.

    Attributes
    ----------
    step : (k, k)
        Probability of tomorrow's class (columns) given today's (rows).
    change : (k, 2)
        Mean and variance of the log return.
    fear : (k, 2) or None
        Intercept and variance of the change of the index of fear, given ``slopes``; None where it was never known.
    slopes : (2,)
        Of the change of the index of fear on its level the session before and on the log return.
    """

    step: Floats
    change: Floats
    fear: Floats | None
    slopes: Floats

    def run(self, seen: Moves) -> Floats:
        """Return the belief (n, k) at the close of every session, from it and earlier ones; rows sum to 1.

        What was not known tells nothing; the belief then moves by ``step`` alone.
        """
        density = _log_density(seen.change, self.change)
        if self.fear is not None:
            density += _log_density(self._surprise(seen), self.fear)
        likelihood = np.exp(density - density.max(axis=1, keepdims=True))
        believed = np.full(len(CLASSES), 1 / len(CLASSES))
        found: Floats = np.empty_like(likelihood)
        for row, likely in enumerate(likelihood):
            joint = (believed @ self.step) * likely
            believed = joint / joint.sum()
            found[row] = believed
        return found

    def _surprise(self, seen: Moves) -> Floats:
        explained: Floats = self.slopes[0] * seen.fear_before + self.slopes[1] * seen.change
        return seen.fear_change - explained


def fit(seen: Moves, sessions: Ints, labels: Ints) -> Belief:
    """Fit the filter on labelled sessions.

    Parameters
    ----------
    seen : Moves of n rows
    sessions, labels : (n,) int64
        `UNKNOWN` where a label was not known; at least one is.
    """
    known = (labels != UNKNOWN) & ~np.isnan(seen.change)
    both = known & ~np.isnan(seen.fear_change)
    step = transition(sessions, labels, 1)
    change = _moments(seen.change[known], labels[known])
    if not both.any():
        return Belief(step, change, None, np.zeros(2))
    inputs = np.column_stack([seen.fear_before[both], seen.change[both]])
    slopes = _slopes_within(inputs, seen.fear_change[both], labels[both])
    rest = seen.fear_change[both] - inputs[:, 0] * slopes[0] - inputs[:, 1] * slopes[1]
    return Belief(step, change, _moments(rest, labels[both]), slopes)


def _moments(values: Floats, labels: Ints) -> Floats:
    mean, variance = values.mean(), values.var()
    found = np.empty((len(CLASSES), 2))
    for c in range(len(CLASSES)):
        own = values[labels == c]
        centre = (own.sum() + _PRIOR * mean) / (len(own) + _PRIOR)
        found[c] = centre, (((own - centre) ** 2).sum() + _PRIOR * variance) / (len(own) + _PRIOR)
    return found


def _slopes_within(inputs: Floats, values: Floats, labels: Ints) -> Floats:
    """Slopes that the classes share, each class with an intercept of its own."""
    inputs, values = inputs.copy(), values.copy()
    for c in np.unique(labels):
        inputs[labels == c] -= inputs[labels == c].mean(axis=0)
        values[labels == c] -= values[labels == c].mean()
    (a, b), (_, d) = [[(one * other).sum() for other in inputs.T] for one in inputs.T]
    (u, v), determinant = [(one * values).sum() for one in inputs.T], a * d - b * b
    return np.array([d * u - b * v, a * v - b * u]) / determinant if determinant > 0 else np.zeros(2)


def _log_density(values: Floats, moments: Floats) -> Floats:
    mean, variance = moments.T
    density: Floats = -0.5 * ((values[:, None] - mean) ** 2 / variance + np.log(variance))
    density[np.isnan(values)] = 0.0
    return density
