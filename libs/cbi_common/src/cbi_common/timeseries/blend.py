"""Inverse-error blend of members, nested in time: a weight at cutoff t comes from errors that had matured by t."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cbi_common.timeseries.dataset import Floats, Ints
from cbi_common.timeseries.redundancy import votes

MIN_MATURED = 48
MIN_MATURED_SPAN = 252
"""Sessions over which errors must have been maturing before any weight is learned from them (DESIGN section 9.4)."""


@dataclass(frozen=True)
class Blend:
    """The forecast as it was served at every cutoff.

    Attributes
    ----------
    y_hat : (n,) float64
        Log return over the horizon, 0 where no-change served.
    weights : (n, m) float64
        Member weights, >= 0.
    no_change : (n,) float64
        Weight of no-change; with the members' it sums to 1.
    matured : (n,) int64
        Outcomes known at each cutoff.
    """

    y_hat: Floats
    weights: Floats
    no_change: Floats
    matured: Ints


def inverse_error_weights(errors: Floats, no_change_errors: Floats, *, min_matured: int = MIN_MATURED) -> Floats | None:
    """Return weights in proportion to 1 / mean squared error (Bates & Granger, 1969).

    Parameters
    ----------
    errors : (n, m) float64
        Forecast minus actual of each member, log returns; NaN where a member has no forecast.
    no_change_errors : (n,) float64
        The same of no-change, that is minus the actual log return.
    min_matured : int
        Errors below which a member weighs 0.

    Returns
    -------
    (m,) float64 or None
        >= 0, summing to 1. A member whose MAE exceeds no-change's on its own rows weighs 0; None when all do. Members
        that err alike (`redundancy`) share one vote.
    """
    counts, squares, advantage = (np.sum(term, axis=0) for term in _terms(errors, no_change_errors))
    weights = _weights(counts, squares, advantage, min_matured)
    weights *= votes(errors, np.array([len(errors)]), weights[None] > 0)[0]
    return _normalised(weights) if weights.any() else None


def serve(
    members: Floats,
    y: Floats,
    sessions: Ints,
    target_sessions: Ints,
    *,
    min_matured: int = MIN_MATURED,
    min_span: int = MIN_MATURED_SPAN,
) -> Blend:
    """Blend the members at every cutoff with the weights their matured errors earned by then.

    No-change serves until ``min_matured`` outcomes are known and the first of them has been for ``min_span`` sessions,
    wherever no member earns a weight, and where none of those that does has a forecast. Members that err alike
    (`redundancy`) share one vote.

    Parameters
    ----------
    members : (n, m) float64
        Log returns over the horizon, NaN where a member has no forecast; the others then share its weight.
    y : (n,) float64
        Actual log returns, NaN where not known.
    sessions, target_sessions : (n,) int64, ascending
        Cutoffs and the sessions of their outcomes.
    """
    known = ~np.isnan(y)
    outcomes = target_sessions[known]
    matured = np.searchsorted(outcomes, sessions, side="right")
    errors = members[known] - y[known, None]
    # Prefix sums add from the oldest row on, so a later row cannot change an earlier weight by a bit.
    counts, squares, advantage = (_prefix_sums(term)[matured] for term in _terms(errors, -y[known]))
    earned = _weights(counts, squares, advantage, min_matured)
    earned *= votes(errors, matured, earned > 0)
    first = outcomes[0] if len(outcomes) else np.iinfo(np.int64).max
    ready = (matured >= min_matured) & (sessions - min_span >= first)
    weights = _normalised(np.where(ready[:, None] & ~np.isnan(members), earned, 0.0))
    return Blend(
        y_hat=np.sum(weights * np.nan_to_num(members), axis=1),
        weights=weights,
        no_change=np.where(weights.any(axis=1), 0.0, 1.0),
        matured=matured.astype(np.int64),
    )


def _terms(errors: Floats, no_change_errors: Floats) -> tuple[Floats, Floats, Floats]:
    """Per row and member: is there an error, its square, and by how much no-change was further off."""
    there = ~np.isnan(errors)
    own = np.where(there, errors, 0.0)
    advantage = np.where(there, np.abs(no_change_errors)[:, None] - np.abs(own), 0.0)
    return there.astype(np.float64), own * own, advantage


def _prefix_sums(rows: Floats) -> Floats:
    return np.concatenate([np.zeros((1, rows.shape[1])), np.cumsum(rows, axis=0)])


def _weights(counts: Floats, squares: Floats, advantage: Floats, min_matured: int) -> Floats:
    """Weights over the last axis from sums over rows; all zero where no member earns one."""
    trusted = (counts >= max(min_matured, 1)) & (advantage >= 0)
    # A member without any error would take an infinite weight: the floor keeps it finite and still dominant.
    return _normalised(np.where(trusted, counts / np.maximum(squares, 1e-200), 0.0))


def _normalised(weights: Floats) -> Floats:
    total = np.sum(weights, axis=-1, keepdims=True)
    return np.divide(weights, total, where=total > 0, out=np.zeros_like(weights))
