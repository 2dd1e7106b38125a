"""How strongly to hold a line down: purged cross-validation, with no change as the strongest penalty of all.

Own code: scikit-learn's splitters know no purge, and its import costs more than the fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf, sqrt

import numpy as np
from numpy.typing import NDArray

from cbi_common.timeseries.dataset import Floats, Ints

STANDSTILL = inf
"""Penalty of the line that says no change everywhere."""

LEAST_ROWS = 100
"""Rows on either side of a split, below which it says nothing."""


@dataclass(frozen=True)
class Rows:
    """Labelled rows in the order of time.

    Attributes
    ----------
    x : (n, p) float64
        Scaled inputs.
    y, weights : (n,) float64
    sessions : (n,) int64, ascending
    """

    x: Floats
    y: Floats
    weights: Floats
    sessions: Ints

    def only(self, kept: NDArray[np.bool_]) -> Rows:
        """Return some of the rows."""
        return replace(self, x=self.x[kept], y=self.y[kept], weights=self.weights[kept], sessions=self.sessions[kept])


def solve(rows: Rows, penalty: float) -> Floats:
    """Return the coefficients (p,) of the weighted ridge; zeros at `STANDSTILL`."""
    return _path(rows, [penalty])[0]


def choose(rows: Rows, penalties: Sequence[float], *, horizon_sessions: int, folds: int) -> float:
    """Return the strongest penalty whose squared error is within one standard error of the best one's.

    The history is cut into blocks; each is forecast by a line fitted to the others, without the rows whose outcome
    overlaps with the block's (de Prado, 2018). The one-standard-error rule (Breiman et al., 1984) asks for evidence:
    where the blocks do not agree that the drivers help, the answer is `STANDSTILL`, and so it is where the history is
    too short for any block.

    Parameters
    ----------
    rows : Rows
    penalties : sequence of float, ascending
    horizon_sessions : int
        Sessions from a row to its outcome: the purge on either side of a block.
    folds : int
        Number of blocks.
    """
    tried = [*penalties, STANDSTILL]
    edges = np.linspace(0, len(rows.y), folds + 1).astype(int)
    losses = []
    for start, end in pairwise(edges.tolist()):
        first, last = rows.sessions[start], rows.sessions[end - 1]
        apart = (rows.sessions + horizon_sessions < first) | (rows.sessions > last + horizon_sessions)
        if end - start < LEAST_ROWS or apart.sum() < LEAST_ROWS:
            continue
        block, others = rows.only((rows.sessions >= first) & (rows.sessions <= last)), rows.only(apart)
        errors = block.y[:, None] - block.x @ np.array(_path(others, tried)).T
        losses.append(np.average(errors**2, axis=0, weights=block.weights))
    if len(losses) < 2:
        return STANDSTILL
    table = np.array(losses)
    best = int(np.argmin(table.mean(axis=0)))
    worse = table - table[:, [best]]
    allowed = worse.std(axis=0, ddof=1) / sqrt(len(table))
    return tried[int(np.flatnonzero(worse.mean(axis=0) <= allowed)[-1])]


def _path(rows: Rows, penalties: Sequence[float]) -> list[Floats]:
    """Coefficients for each penalty, from one decomposition."""
    share = rows.weights[:, None] / rows.weights.sum()
    values, vectors = np.linalg.eigh(rows.x.T @ (share * rows.x))
    towards = vectors.T @ (rows.x.T @ (share[:, 0] * rows.y))
    nothing = np.zeros(rows.x.shape[1])
    return [nothing if p == STANDSTILL else vectors @ (towards / (np.maximum(values, 0.0) + p)) for p in penalties]
