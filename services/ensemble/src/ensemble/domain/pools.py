"""Pools of members, between which the meta-learner divides the weight, and what it sees at a cutoff.

Over single members there is too little to learn from: two dozen members and, at twelve months, a dozen independent
outcomes. A pool is a family whose standing members share its weight by their errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cbi_common.timeseries.combine import EXPERTS, INVERSE_ERROR, NO_CHANGE, Panel
from cbi_common.timeseries.dataset import Floats, Ints

RECENT = 52
"""Matured cutoffs over which a pool's latest advantage over no-change is averaged."""


@dataclass(frozen=True)
class Pools:
    """k pools at n cutoffs: no-change, the experts, then a family each.

    Attributes
    ----------
    names : k names
    members : (n, k, m) float64
        Weights of the members within each pool, rows summing to 1, or to 0 where the pool has no forecast.
    forecasts : (n, k) float64
        Log returns, NaN where the pool has none.
    """

    names: tuple[str, ...]
    members: Floats
    forecasts: Floats

    def blended(self, weights: Floats) -> Floats:
        """Return member weights (n, m) from pool weights (n, k)."""
        return np.asarray(np.einsum("nk,nkm->nm", weights, self.members))


def pools(panel: Panel, combinations: Mapping[str, Floats], family: Mapping[str, str]) -> Pools:
    """Return the pools of a horizon.

    Parameters
    ----------
    panel : Panel
    combinations : name to (n, m) float64
        Weights of the experts and by inverse error.
    family : member to its family
    """
    n, m = panel.forecasts.shape
    unchanged = np.zeros((n, m))
    unchanged[:, 0] = 1.0
    parts = {NO_CHANGE: unchanged, EXPERTS: combinations[EXPERTS]}
    inverse = combinations[INVERSE_ERROR]
    for name in sorted(set(family.values())):
        mine = np.array([member != NO_CHANGE and family.get(member) == name for member in panel.names])
        votes = np.where(mine, inverse, 0.0)
        total = votes.sum(axis=1, keepdims=True)
        parts[name] = np.divide(votes, total, where=total > 0, out=np.zeros_like(votes))
    members = np.stack(list(parts.values()), axis=1)
    said = np.einsum("nkm,nm->nk", members, np.nan_to_num(panel.forecasts))
    return Pools(tuple(parts), members, np.where(members.sum(axis=2) > 0, said, np.nan))


def losses(panel: Panel, found: Pools) -> Floats:
    """Return (n, k): absolute errors in standard deviations, NaN where the outcome or the forecast is not known."""
    scale = np.where(panel.sd > 0, panel.sd, np.nan)
    return np.asarray(np.abs(found.forecasts - panel.y[:, None]) / scale[:, None])


def conditions(panel: Panel, found: Pools, chances: Floats) -> Floats:
    """Return what the meta-learner sees at each cutoff, from nothing but what was known there.

    Parameters
    ----------
    panel : Panel
    found : Pools
    chances : (n, number of classes) float64
        Probabilities of the regimes, NaN where not known.

    Returns
    -------
    (n, p) float64
        The probabilities; the volatility, and against its mean over a year of cutoffs; each pool's forecast in
        standard deviations; each pool's advantage over no-change in the latest matured errors.
    """
    sd = np.log(np.where(panel.sd > 0, panel.sd, np.nan))
    said = found.forecasts[:, 1:] / np.where(panel.sd > 0, panel.sd, np.nan)[:, None]
    own = losses(panel, found)
    advantage = _recent_mean(own[:, :1] - own[:, 1:], panel)
    return np.column_stack([chances, sd, sd - _trailing_mean(sd), said, advantage])


def _trailing_mean(values: Floats) -> Floats:
    sums, counts = _sums(values), _sums(np.isfinite(values).astype(np.float64))
    ends = np.arange(1, len(values) + 1, dtype=np.int64)
    return _mean(sums, counts, ends)


def _recent_mean(values: Floats, panel: Panel) -> Floats:
    """Mean of each column over the latest `RECENT` rows that had matured by each row."""
    sums, counts = _sums(values), _sums(np.isfinite(values).astype(np.float64))
    return _mean(sums, counts, panel.matured)


def _sums(values: Floats) -> Floats:
    return np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(np.nan_to_num(values), axis=0)])


def _mean(sums: Floats, counts: Floats, ends: Ints) -> Floats:
    starts = np.maximum(ends - RECENT, 0)
    total, number = sums[ends] - sums[starts], counts[ends] - counts[starts]
    return np.divide(total, number, where=number > 0, out=np.full(total.shape, np.nan))
