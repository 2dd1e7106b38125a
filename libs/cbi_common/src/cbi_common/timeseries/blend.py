"""What members have earned by their matured errors: whether they stand, and weights in inverse proportion to error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cbi_common.timeseries.dataset import Floats, Ints
from cbi_common.timeseries.redundancy import votes

MIN_MATURED = 48
MIN_MATURED_SPAN = 252
"""Sessions over which errors must have been maturing before any weight is learned from them (DESIGN section 9.4)."""


@dataclass(frozen=True)
class Earned:
    """What the errors known at each cutoff are worth.

    Attributes
    ----------
    standing : (n, m) bool
        Members with a forecast and enough matured errors that is not further off than no-change on its own rows.
    votes : (n, m) float64
        One, or a share of it where standing members err alike (`redundancy`).
    inverse : (n, m) float64
        Weights in proportion to 1 / mean squared error (Bates & Granger, 1969), times the votes; rows sum to 1, or to
        0 where no member stands.
    best : (n, m) float64
        1 for the standing member that was closer than no-change by most, on average; 0 for the others.
    """

    standing: NDArray[np.bool_]
    votes: Floats
    inverse: Floats
    best: Floats


def earned(
    members: Floats,
    y: Floats,
    sessions: Ints,
    target_sessions: Ints,
    *,
    min_matured: int = MIN_MATURED,
    min_span: int = MIN_MATURED_SPAN,
) -> Earned:
    """Judge the members at every cutoff by the errors that had matured by then.

    Parameters
    ----------
    members : (n, m) float64
        Log returns over the horizon, NaN where a member has no forecast.
    y : (n,) float64
        Actual log returns, NaN where not known.
    sessions, target_sessions : (n,) int64, ascending
        Cutoffs and the sessions of their outcomes.
    min_matured : int
        Errors of its own without which a member does not stand.
    min_span : int
        Sessions over which outcomes must have been maturing before any member stands.
    """
    known = ~np.isnan(y)
    outcomes = target_sessions[known]
    matured = np.searchsorted(outcomes, sessions, side="right")
    errors = members[known] - y[known, None]
    # Prefix sums add from the oldest row on, so a later row cannot change an earlier weight by a bit.
    counts, squares, advantage = (_prefix_sums(term)[matured] for term in _terms(errors, -y[known]))
    first = outcomes[0] if len(outcomes) else np.iinfo(np.int64).max
    ready = (matured >= min_matured) & (sessions - min_span >= first)
    trusted = (counts >= max(min_matured, 1)) & (advantage >= 0) & ready[:, None]
    shares = votes(errors, matured, trusted)
    standing = trusted & ~np.isnan(members)
    # A member without any error would take an infinite weight: the floor keeps it finite and still dominant.
    weights = np.where(standing, shares * counts / np.maximum(squares, 1e-200), 0.0)
    total = np.sum(weights, axis=-1, keepdims=True)
    inverse = np.divide(weights, total, where=total > 0, out=np.zeros_like(weights))
    lead = np.where(standing, advantage / np.maximum(counts, 1), -np.inf)
    best = standing & (np.arange(members.shape[1]) == lead.argmax(axis=1)[:, None])
    return Earned(standing, shares, inverse, best.astype(np.float64))


def _terms(errors: Floats, no_change_errors: Floats) -> tuple[Floats, Floats, Floats]:
    """Per row and member: is there an error, its square, and by how much no-change was further off."""
    there = ~np.isnan(errors)
    own = np.where(there, errors, 0.0)
    advantage = np.where(there, np.abs(no_change_errors)[:, None] - np.abs(own), 0.0)
    return there.astype(np.float64), own * own, advantage


def _prefix_sums(rows: Floats) -> Floats:
    return np.concatenate([np.zeros((1, rows.shape[1])), np.cumsum(rows, axis=0)])
