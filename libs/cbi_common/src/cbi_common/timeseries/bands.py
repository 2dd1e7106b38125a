"""Conformal bands from the matured residuals of the forecasts as they were served, scaled by forecast volatility.

Split-conformal quantiles (Lei et al., 2018), one per tail, at levels that adapt to the misses seen (ACI: Gibbs &
Candès, 2021). A miss is seen only when its outcome has matured, so the feedback is late by the horizon; the levels are
clipped, because late feedback of overlapping outcomes would otherwise drive them out of range.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import deque
from dataclasses import dataclass
from math import ceil, floor

import numpy as np

from cbi_common.timeseries.dataset import Floats, Ints

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
MIN_RESIDUALS = 50


@dataclass(frozen=True)
class Bands:
    """Bands around the served forecasts; log returns over the horizon, NaN before there are residuals enough.

    Attributes
    ----------
    lower, upper : (n,) float64
        Ends of the band of nominal coverage 1 - alpha.
    quantiles : (n, 5) float64
        At `LEVELS`, never decreasing along a row. The outer two are the band's ends when alpha is 0.1.
    probability_up : (n,) float64
        Probability of a positive log return, inside (0, 1).
    tails : (n, 2) float64
        Level at which the lower and the upper end were drawn, adapted from alpha / 2 each.
    residuals : (n,) int64
        Matured residuals known at each cutoff, `window` of them at most.
    """

    lower: Floats
    upper: Floats
    quantiles: Floats
    probability_up: Floats
    tails: Floats
    residuals: Ints


def bands(
    y_hat: Floats,
    sd: Floats,
    y: Floats,
    sessions: Ints,
    target_sessions: Ints,
    *,
    alpha: float = 0.1,
    window: int | None = None,
    rate: float = 0.01,
    min_residuals: int = MIN_RESIDUALS,
) -> Bands:
    """Return a band for every cutoff, from nothing but outcomes that had matured by then.

    Parameters
    ----------
    y_hat : (n,) float64
        Forecasts as served, log returns over the horizon.
    sd : (n,) float64 > 0
        Forecast standard deviation over the horizon as known at the cutoff; NaN gives no band and no residual.
    y : (n,) float64
        Actual log returns, NaN where not known.
    sessions, target_sessions : (n,) int64, ascending
        Cutoffs and the sessions of their outcomes.
    alpha : float in (0, 1)
        Nominal share of outcomes outside the band, half of it on each side.
    window : int, optional
        Number of latest residuals to use; all by default.
    rate : float >= 0
        Step of the adaptation per independent outcome and tail: each of k overlapping outcomes moves the levels by
        1/k of it, or one surprise would count k times. 0 keeps the nominal levels.
    min_residuals : int >= 1
        Matured residuals below which there is no band.

    Notes
    -----
    Long horizons need the whole history: rows from before the first member predicted, when no-change was what would
    have been served, count like any other. On ZL they take 12m coverage from .63 to .89 and the Winkler score from 215
    to 119 ¢/lb over the last 252 weekly cutoffs.
    """
    n = len(y_hat)
    scores = (y - y_hat) / sd
    usable = np.flatnonzero(np.isfinite(scores))
    known = np.searchsorted(target_sessions[usable], sessions, side="right")
    overlap = np.maximum(np.searchsorted(sessions, target_sessions, side="left") - np.arange(n), 1)
    residuals, tails = _Residuals(window), _Tails(alpha / 2.0)
    drawn, counts = np.full((n, 2), np.nan), np.zeros(n, dtype=np.int64)
    # Everything in units of sd: the ends of the band, the inner quantiles, and what lies above a standstill.
    ends, inner, up = np.full((n, 2), np.nan), np.full((n, len(LEVELS)), np.nan), np.full(n, np.nan)
    standstill = -y_hat / sd
    for i in range(n):
        for row in usable[known[i - 1] if i else 0 : known[i]]:
            residuals.add(float(scores[row]))
            tails.learn(float(scores[row]), ends[row], rate / float(overlap[row]))
        counts[i] = len(residuals)
        if counts[i] < min_residuals or not np.isfinite(standstill[i]):
            continue
        drawn[i] = tails.levels
        ends[i] = residuals.low(tails.levels[0]), residuals.high(tails.levels[1])
        inner[i] = [residuals.low(q) if q < 0.5 else residuals.high(1.0 - q) for q in LEVELS]
        up[i] = residuals.share_above(float(standstill[i]))
    if alpha == 2.0 * LEVELS[0]:
        # The inner quantiles do not adapt; where the band has narrowed past them it cuts them off.
        inner = np.column_stack([ends[:, 0], np.clip(inner[:, 1:-1], ends[:, :1], ends[:, 1:]), ends[:, 1]])
    ends, quantiles = (y_hat[:, None] + sd[:, None] * values for values in (ends, inner))
    return Bands(ends[:, 0], ends[:, 1], quantiles, up, drawn, counts)


class _Residuals:
    """The latest residuals, by arrival and in order of size."""

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.arrived: deque[float] = deque()
        self.ascending: list[float] = []

    def __len__(self) -> int:
        return len(self.ascending)

    def add(self, score: float) -> None:
        self.arrived.append(score)
        insort(self.ascending, score)
        if self.limit is not None and len(self.arrived) > self.limit:
            del self.ascending[bisect_left(self.ascending, self.arrived.popleft())]

    def low(self, level: float) -> float:
        """Finite-sample quantile: a new exchangeable value lies below it with probability ``level`` at most."""
        return self.ascending[max(floor((len(self) + 1) * level) - 1, 0)]

    def high(self, level: float) -> float:
        """Finite-sample quantile: a new exchangeable value lies above it with probability ``level`` at most."""
        return self.ascending[min(ceil((len(self) + 1) * (1.0 - level)), len(self)) - 1]

    def share_above(self, threshold: float) -> float:
        return (len(self) - bisect_right(self.ascending, threshold) + 0.5) / (len(self) + 1.0)


class _Tails:
    """Levels of the two tails, moved by every residual that had a band."""

    def __init__(self, target: float) -> None:
        self.target = target
        self.levels = [target, target]

    def learn(self, score: float, ends: Floats, rate: float) -> None:
        if np.isnan(ends[0]):
            return
        for side, missed in enumerate((score < ends[0], score > ends[1])):
            moved = self.levels[side] + rate * (self.target - missed)
            self.levels[side] = min(max(moved, self.target / 5.0), self.target * 3.0)
