"""The statistical jump model: clusters of days, and a price on every jump between them.

Nystrup, Lindström and Madsen (2020, Expert Systems with Applications 150:113307): states s and centres c minimise

    sum_t |y[t] - c[s[t]]|^2 / 2 + PENALTY * #{t : s[t] != s[t-1]}

by turns, the states by dynamic programming, the centres as means. The labels say where the centres start and what the
states are called, nothing in between. Written out, because the library ``jumpmodels`` brings scikit-learn, pandas and
matplotlib for one recursion.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from cbi_common.timeseries.dataset import Floats, Ints
from cbi_common.timeseries.regimes import CLASSES, UNKNOWN
from regime.domain.belief import Moves

PENALTY = 30.0
"""Price of a jump; chosen on simulated markets against their true regimes."""

_HALF_LIFE = 21
_LARGEST = 3.0
"""Inputs beyond so many standard deviations count as that many: one day of panic shall not be a state of its own."""

WINDOW = 2520
"""Sessions of a fit and of the path to today: what volatile means is not what it was decades ago."""

_SWEEPS = 20
_MEAN, _VOLATILITY = 0, 1
SETTINGS = (PENALTY, _HALF_LIFE, _LARGEST, WINDOW, _SWEEPS)
"""Part of the key of a stored fit."""


def inputs(seen: Moves) -> Floats:
    """Return what the model clusters: trailing mean and log volatility of the returns, and the log index of fear.

    Returns
    -------
    (n, 3) float64
        Each row from its own session and earlier; NaN where nothing was known.
    """
    spread = _trailing(seen.change**2)
    spread[spread == 0] = np.nan
    return np.column_stack([_trailing(seen.change), 0.5 * np.log(spread), seen.fear_before + seen.fear_change])


@dataclass(frozen=True)
class JumpModel:
    """A fitted model; k states in descending order of volatility, among equals of the mean return.

    Attributes
    ----------
    middle, scale : (p,)
        Mean and standard deviation of the inputs in the rows of the fit.
    centres : (k, p)
        Of the standardised inputs.
    names : (k,) int64
        Class of each state.
    """

    middle: Floats
    scale: Floats
    centres: Floats
    names: Ints

    def online(self, x: Floats) -> Ints:
        """Return the class called at each session (n,): where the cheapest path up to it ends.

        Parameters
        ----------
        x : (n, p) float64
            Well before the first session of interest on, because a path has to start somewhere.
        """
        values = path_values(_losses(_standardised(x, self.middle, self.scale), self.centres), PENALTY)
        called: Ints = self.names[values.argmin(axis=1)]
        return called


def fit(x: Floats, labels: Ints) -> JumpModel:
    """Fit the model; equal arrays give an equal model.

    Parameters
    ----------
    x : (n, p) float64
        Ascending in time; a NaN costs nothing in any state.
    labels : (n,) int64
        Known by the fit, `UNKNOWN` where not. The means of the classes are the first centres; at the end each class
        names one state, so that as many sessions as possible agree.
    """
    middle, scale = _moments(x)
    y = _standardised(x, middle, scale)
    centres, states = _descend(y, _centres(y, labels, np.zeros((len(CLASSES), y.shape[1]))))
    order = np.lexsort((-centres[:, _MEAN], -centres[:, _VOLATILITY]))
    ranked = np.argsort(order)[states]
    return JumpModel(middle, scale, centres[order], _names(ranked, labels))


def path_values(losses: Floats, penalty: float) -> Floats:
    """Return the cost of the cheapest path to each state at each session.

    Parameters
    ----------
    losses : (n, k) float64
    penalty : float >= 0

    Returns
    -------
    (n, k) float64
    """
    values = np.empty_like(losses)
    cheapest = [0.0] * losses.shape[1]
    for row, own in enumerate(losses.tolist()):
        jump = min(cheapest) + penalty
        # Not min(): this loop is nearly all that a fit costs.
        cheapest = [loss + (stay if stay < jump else jump) for loss, stay in zip(own, cheapest)]  # noqa: B905
        values[row] = cheapest
    return values


def cheapest_path(losses: Floats, penalty: float) -> Ints:
    """Return the states (n,) of the cheapest path over all sessions."""
    values = path_values(losses, penalty)
    ends, rows = values.argmin(axis=1).tolist(), values.tolist()
    states = [ends[-1]]
    for row in range(len(losses) - 2, -1, -1):
        later, end = states[-1], ends[row]
        states.append(later if rows[row][later] <= rows[row][end] + penalty else end)
    return np.array(states[::-1], dtype=np.int64)


def _descend(y: Floats, centres: Floats) -> tuple[Floats, Ints]:
    states = cheapest_path(_losses(y, centres), PENALTY)
    for _ in range(_SWEEPS):
        before, centres = states, _centres(y, states, centres)
        states = cheapest_path(_losses(y, centres), PENALTY)
        if np.array_equal(states, before):
            break
    return centres, states


def _centres(y: Floats, states: Ints, before: Floats) -> Floats:
    """Mean of the days of each state; a state without days keeps its centre."""
    found = before.copy()
    for state in range(len(before)):
        mean, known = _mean(y[states == state])
        found[state, known] = mean[known]
    return found


def _names(states: Ints, labels: Ints) -> Ints:
    known = labels != UNKNOWN
    agree = np.zeros((len(CLASSES), len(CLASSES)), dtype=np.int64)
    np.add.at(agree, (states[known], labels[known]), 1)
    rows = np.arange(len(CLASSES))
    return np.array(max(permutations(range(len(CLASSES))), key=lambda names: agree[rows, names].sum()), dtype=np.int64)


def _losses(y: Floats, centres: Floats) -> Floats:
    away = y[:, None, :] - centres
    away[np.isnan(away)] = 0.0
    losses: Floats = 0.5 * (away**2).sum(axis=2)
    return losses


def _standardised(x: Floats, middle: Floats, scale: Floats) -> Floats:
    return np.clip((x - middle) / scale, -_LARGEST, _LARGEST)


def _moments(x: Floats) -> tuple[Floats, Floats]:
    middle, known = _mean(x)
    variance, _ = _mean((x - middle) ** 2)
    return middle, np.where(known & (variance > 0), np.sqrt(variance), 1.0)


def _mean(x: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Mean of what is known in each column, and which columns hold anything."""
    counts = (~np.isnan(x)).sum(axis=0)
    return np.nansum(x, axis=0) / np.maximum(counts, 1), counts > 0


def _trailing(values: Floats) -> Floats:
    """Exponentially weighted mean of what was known, from the half-life on."""
    keep, total, weight, count = 0.5 ** (1 / _HALF_LIFE), 0.0, 0.0, 0
    found = np.full(len(values), np.nan)
    for row, value in enumerate(values.tolist()):
        if not np.isnan(value):
            total, weight, count = keep * total + value, keep * weight + 1.0, count + 1
        if count >= _HALF_LIFE:
            found[row] = total / weight
    return found
