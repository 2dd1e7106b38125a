"""The meta-learner: weights over pools of members that depend on regime, volatility and recent errors.

Nested in time: at each of its refits it learns from the cutoffs whose outcome was known by then, and serves the cutoffs
from there to the next refit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from cbi_common.timeseries.combine import EXPERTS, Panel
from cbi_common.timeseries.dataset import Floats
from ensemble.adapters import lightgbm_weights
from ensemble.domain.pools import Pools, conditions, losses, pools

if TYPE_CHECKING:
    from lightgbm import Booster

META = "meta_learner"
REFIT_EVERY = 504
"""Sessions; the grid is absolute, so a day more moves no refit."""

Fit = Callable[[Floats, Floats, Floats, Floats], "Booster"]
FRESH: Fit = lightgbm_weights.fit

MIN_ROWS, MIN_INDEPENDENT = 200, 10.0
"""Matured cutoffs, and independent ones among them, without which it says what the experts say."""

START = 0.8
"""Weight of the experts before anything is learned; the other pools share the rest."""


def meta_weights(
    panel: Panel, combinations: Mapping[str, Floats], family: Mapping[str, str], chances: Floats, fit: Fit = FRESH
) -> dict[str, Floats]:
    """Return the weights (n, m) of the meta-learner, under its name; its own start where it has not learned yet.

    Parameters
    ----------
    panel : Panel
    combinations : name to (n, m) float64
        Weights of the experts and by inverse error.
    family : member to its family
    chances : (n, number of classes) float64
        Probabilities of the regimes, NaN where not known.
    fit : Fit
        `lightgbm_weights.fit`, or what remembers its results.
    """
    found = pools(panel, combinations, family)
    start, x = _start(found), conditions(panel, found, chances)
    own = losses(panel, found)
    taught = np.isfinite(own[:, 0])
    weights = np.zeros_like(start)
    weights[:, found.names.index(EXPERTS)] = 1.0
    for refit, rows in _folds(panel):
        known = np.flatnonzero(taught[: np.searchsorted(panel.target_sessions, refit, side="right")])
        counts = 1.0 / panel.overlap[known]
        if len(known) < MIN_ROWS or counts.sum() < MIN_INDEPENDENT:
            continue
        model = fit(x[known], np.nan_to_num(own[known]), start[known], counts)
        weights[rows] = lightgbm_weights.weights(model, x[rows], start[rows])
    return {META: found.blended(weights)}


def _folds(panel: Panel) -> list[tuple[int, slice]]:
    """Return the refit sessions, each with the rows that it serves."""
    first, last = int(panel.sessions[0]), int(panel.sessions[-1])
    grid = [*range(-(-first // REFIT_EVERY) * REFIT_EVERY, last + 1, REFIT_EVERY), last + 1]
    starts = np.searchsorted(panel.sessions, grid, side="left").tolist()
    return [(refit, slice(a, b)) for (refit, (a, b)) in zip(grid, pairwise(starts), strict=False)]


def _start(found: Pools) -> Floats:
    """Logarithms of the weights to begin with, -inf where a pool has no forecast."""
    experts = found.names.index(EXPERTS)
    share = np.full(len(found.names), (1.0 - START) / (len(found.names) - 1))
    share[experts] = START
    scores: Floats = np.where(np.isfinite(found.forecasts), np.log(share), -np.inf)
    return scores
