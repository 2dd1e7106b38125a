"""Several volatility forecasts in one: a geometric mean whose weights follow the QLIKE that had matured.

The best one so far is a worse choice than a vote: on WTI 1995-2018 and on ZL before 2010 picking it lost to the vote at
every horizon beyond a week (docs/results.md). The vote learns slowly for that reason.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cbi_common.timeseries.dataset import Floats, Ints
from cbi_common.timeseries.folds import overlaps
from cbi_common.timeseries.losses import qlike_losses

RATE = 0.3
"""How fast weights follow the loss: one unit of QLIKE per independent outcome shifts the odds by exp(-0.3)."""


@dataclass(frozen=True)
class VolatilityMix:
    """The volatility as it was served.

    Attributes
    ----------
    sd : (n,) float64
        Standard deviation of the log return over the horizon; NaN where the first candidate has none.
    weights : (n, m) float64
        Of each candidate; rows sum to 1, or to 0 where nothing is served.
    """

    sd: Floats
    weights: Floats


def mix(
    candidates: Floats, realised: Floats, sessions: Ints, target_sessions: Ints, *, rate: float = RATE
) -> VolatilityMix:
    """Mix the candidates at every cutoff by exponential weights (Vovk, 1990) on outcomes known by then.

    Parameters
    ----------
    candidates : (n, m) float64
        Standard deviations over the horizon, NaN where a candidate has none. The first is the yardstick: on rows that
        another lacks, that other is taken to have been as good.
    realised : (n,) float64
        Realised variance over the horizon, NaN where not known, 0 where nothing moved; neither counts.
    sessions, target_sessions : (n,) int64, ascending
        Cutoffs and the sessions of their outcomes.
    rate : float >= 0
        0 gives every candidate the same vote.
    """
    there = np.isfinite(candidates) & (candidates > 0)
    counted = (realised > 0)[:, None] & there & there[:, :1]
    nothing = np.ones_like(candidates)
    outcome = np.where(realised > 0, realised, nothing[:, 0])[:, None]
    yardstick: Floats = np.where(there[:, :1], candidates[:, :1], nothing[:, :1])
    said: Floats = np.where(counted, candidates, nothing)
    losses = qlike_losses(np.square(said), outcome)
    excess = np.where(counted, losses - qlike_losses(np.square(yardstick), outcome), 0.0)
    overlap = overlaps(sessions, target_sessions)
    # Prefix sums add from the oldest row on, so a later row cannot change an earlier weight by a bit.
    so_far = np.vstack([np.zeros((1, candidates.shape[1])), np.cumsum(excess / overlap[:, None], axis=0)])
    matured = so_far[np.searchsorted(target_sessions, sessions, side="right")]
    votes = np.where(there & there[:, :1], np.exp(-rate * (matured - matured.min(axis=1, keepdims=True))), 0.0)
    total = votes.sum(axis=1, keepdims=True)
    weights = np.divide(votes, total, where=total > 0, out=np.zeros_like(votes))
    logs = np.log(np.where(there, candidates, nothing))
    return VolatilityMix(np.where(total[:, 0] > 0, np.exp(np.sum(weights * logs, axis=1)), np.nan), weights)
