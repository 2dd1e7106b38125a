"""Conformal bands from the matured residuals of the forecasts as they were served, scaled by forecast volatility.

Split-conformal quantiles (Lei et al., 2018) of the size of the scaled residual, at a level that adapts to the misses
seen (ACI: Gibbs & Candès, 2021). A miss is seen only when its outcome has matured, so the feedback is late by the
horizon, and the level is clipped, because late feedback of overlapping outcomes would otherwise drive it out of range.

Three choices, made on WTI 1990-2018 and on ZL before 2010 (docs/results.md). The band is symmetric: quantiles of each
tail alone carry the drift of the past into the future, and cost up to a third in Winkler score. The normal distribution
counts as `PRIOR` independent residuals: a year ahead there are twenty in a quarter of a century. And a group of
cutoffs (a regime) has quantiles of its own only as far as its own residuals outweigh everybody's.

Own code: MAPIE's time series regressor refits a model to give a band; here forecasts are given, outcomes come late, and
their horizons overlap.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass, field
from functools import cached_property
from math import erf, inf, nextafter, sqrt
from statistics import NormalDist

import numpy as np

from cbi_common.timeseries.dataset import Floats, Ints
from cbi_common.timeseries.folds import overlaps

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
MIN_RESIDUALS = 50
PRIOR = 100.0
"""Independent residuals that the normal distribution stands for."""

LEAST_GROUP = 20.0
"""Independent residuals that a group needs before it is heard (DOMAIN section 7)."""

_ROOT_2 = sqrt(2.0)
_LARGEST = 40.0
_STANDARD = NormalDist()
_BELOW_1 = nextafter(1.0, 0.0)


@dataclass(frozen=True)
class Residuals:
    """Distribution of the scaled residual: symmetric, a mixture of matured ones and a prior.

    Attributes
    ----------
    sizes : k absolute scaled residuals, ascending
    independent : float
        How many independent outcomes they are.
    prior : Residuals or None
        What counts as ``prior_weight`` independent outcomes; None is the standard normal distribution.
    prior_weight : float
    """

    sizes: tuple[float, ...]
    independent: float
    prior: Residuals | None
    prior_weight: float

    @cached_property
    def parts(self) -> tuple[tuple[float, tuple[float, ...]], ...]:
        """Weight of every distribution of the mixture with its residuals, its own first; the normal one has none."""
        total = self.independent + self.prior_weight
        # In this form a distribution without a prior is exactly its own: no quantile at the edge is lost to rounding.
        weight = self.independent / total if total > 0 else 0.0
        before = ((1.0, ()),) if self.prior is None else self.prior.parts
        return ((weight, self.sizes), *(((1.0 - weight) * share, sizes) for share, sizes in before))

    def share_within(self, size: float) -> float:
        """Return the probability that the scaled residual is no larger than ``size`` >= 0, below 1."""
        share = 0.0
        for weight, sizes in self.parts:
            own = bisect_right(sizes, size) / (len(sizes) + 1.0) if sizes else erf(size / _ROOT_2)
            share += weight * own
        return share

    def within(self, share: float) -> float:
        """Return the size that the scaled residual stays within with probability ``share`` > 0, which is met to 1e-12.

        Without a prior it is the finite-sample quantile: a new exchangeable residual is larger with probability
        ``1 - share`` at most.
        """
        if self.share_within(max([_LARGEST, *self.sizes[-1:]])) < share:  # too few residuals, and too little prior
            return max([*self.sizes[-1:], 0.0 if self.prior is None else self.prior.within(share)])
        low, high = 0.0, inf
        for _, sizes in self.parts:  # between neighbouring residuals of all parts nothing but the normal one rises
            begin, end = bisect_right(sizes, low), bisect_left(sizes, high)
            at = bisect_left(sizes, share, begin, end, key=self.share_within)
            low, high = sizes[at - 1] if at > begin else low, sizes[at] if at < end else high
        normal = self.parts[-1][0]
        missing = max(share - self.share_within(low) + normal * erf(low / _ROOT_2), 0.0)
        if missing >= normal and high < inf:
            return high
        tail = min((1.0 + missing / normal) / 2.0, _BELOW_1)
        return min(max(_STANDARD.inv_cdf(tail), low), high)

    def share_above(self, threshold: float) -> float:
        """Return the probability that the scaled residual exceeds ``threshold``, which may be negative."""
        inside = self.share_within(abs(threshold))
        return (1.0 - inside) / 2.0 if threshold >= 0 else (1.0 + inside) / 2.0


@dataclass(frozen=True)
class Bands:
    """Bands around the served forecasts; log returns over the horizon, NaN before there are residuals enough.

    Attributes
    ----------
    lower, upper : (n,) float64
        Ends of the band of nominal coverage 1 - alpha.
    quantiles : (n, 5) float64
        At `LEVELS` when alpha is 0.1: the outer two are the band's ends. Never decreasing along a row.
    probability_up : (n,) float64
        Probability of a positive log return, inside (0, 1).
    level : (n,) float64
        Share of outcomes that the band was drawn to miss, adapted from alpha.
    residuals : (n,) int64
        Matured residuals known at each cutoff.
    latest : Residuals
        Distribution of the scaled residual at the last cutoff.
    """

    lower: Floats
    upper: Floats
    quantiles: Floats
    probability_up: Floats
    level: Floats
    residuals: Ints
    latest: Residuals


def bands(
    y_hat: Floats,
    sd: Floats,
    y: Floats,
    sessions: Ints,
    target_sessions: Ints,
    *,
    groups: Ints | None = None,
    least_width: Floats | None = None,
    alpha: float = 0.1,
    prior: float = PRIOR,
    rate: float = 0.005,
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
    groups : (n,) int64, optional
        Group of each cutoff as known there (its regime), negative where there is none.
    least_width : (n,) float64, optional
        Distance from forecast to end below which no band goes: that of the horizon before, for a longer horizon is
        not surer. NaN asks for nothing.
    alpha : float in (0, 1)
        Nominal share of outcomes outside the band.
    prior : float >= 0
        Independent residuals that the normal distribution stands for; 0 is the plain conformal band.
    rate : float >= 0
        Step of the adaptation per independent outcome: each of k overlapping outcomes moves the level by 1/k of it,
        or one surprise would count k times. 0 keeps the nominal level.
    min_residuals : int >= 1
        Matured residuals below which there is no band.

    Notes
    -----
    Long horizons need the whole history: rows from before the first member predicted, when no-change was what would
    have been served, count like any other.
    """
    n = len(y_hat)
    scores = np.abs(y - y_hat) / sd
    usable = np.flatnonzero(np.isfinite(scores))
    known = np.searchsorted(target_sessions[usable], sessions, side="right")
    overlap = overlaps(sessions, target_sessions)
    group = np.full(n, -1, dtype=np.int64) if groups is None else groups
    matured, level = _Matured(prior), _Level(alpha)
    drawn, counts = np.full(n, np.nan), np.zeros(n, dtype=np.int64)
    half, inner, up = np.full(n, np.nan), np.full(n, np.nan), np.full(n, np.nan)  # half widths in units of sd
    latest = matured.of(-1)
    for i in range(n):
        for row in usable[known[i - 1] if i else 0 : known[i]].tolist():
            matured.add(float(scores[row]), 1.0 / float(overlap[row]), int(group[row]))
            level.learn(float(scores[row]), float(half[row]), rate / float(overlap[row]))
        counts[i] = matured.count
        latest = matured.of(int(group[i]))
        if counts[i] < min_residuals or not np.isfinite(y_hat[i] / sd[i]):
            continue
        drawn[i] = level.now
        half[i], inner[i] = latest.within(1.0 - level.now), latest.within(0.5)
        if least_width is not None and half[i] < least_width[i] / sd[i]:
            half[i], inner[i] = least_width[i] / sd[i], inner[i] * (least_width[i] / sd[i]) / half[i]
        up[i] = latest.share_above(-float(y_hat[i] / sd[i]))
    inner = np.minimum(inner, half)  # the quartiles do not adapt; a band that has narrowed past them cuts them off
    lower, upper = y_hat - sd * half, y_hat + sd * half
    middle = np.where(np.isnan(half), np.nan, y_hat)
    quantiles = np.column_stack([lower, y_hat - sd * inner, middle, y_hat + sd * inner, upper])
    return Bands(lower, upper, quantiles, up, drawn, counts, latest)


@dataclass
class _Matured:
    """Sizes of matured residuals, all of them and by group."""

    prior: float
    sizes: dict[int, list[float]] = field(default_factory=lambda: {-1: []})
    independent: dict[int, float] = field(default_factory=lambda: {-1: 0.0})

    @property
    def count(self) -> int:
        return len(self.sizes[-1])

    def add(self, size: float, independent: float, group: int) -> None:
        for name in {-1, group}:
            insort(self.sizes.setdefault(name, []), size)
            self.independent[name] = self.independent.get(name, 0.0) + independent

    def of(self, group: int) -> Residuals:
        pooled = Residuals(tuple(self.sizes[-1]), self.independent[-1], None, self.prior)
        if group < 0 or self.independent.get(group, 0.0) < LEAST_GROUP:
            return pooled
        return Residuals(tuple(self.sizes[group]), self.independent[group], pooled, self.prior)


@dataclass
class _Level:
    """Share of outcomes to miss, moved by every residual that had a band."""

    target: float
    now: float = field(init=False)

    def __post_init__(self) -> None:
        self.now = self.target

    def learn(self, size: float, half: float, rate: float) -> None:
        if np.isnan(half):
            return
        self.now = min(max(self.now + rate * (self.target - (size > half)), self.target / 5.0), self.target * 3.0)
