"""Features that are no longer distributed as in the sample that models learned from.

PSI and the Kolmogorov-Smirnov distance of a month depend on the number of rows, the bins, and on how the feature comes
in spells: with no drift at all PSI exceeds the customary 0.25 on 88 % of the days (DESIGN 9.10). So each statistic is
judged by its own distribution over every window of that length in the reference sample: blocks as long as the window
keep the spells, and no window is made up. A drift needs a statistic above the quantile of these, and a p-value that
survives the correction for the many features. That p-value goes on where the windows end: the largest twentieth of
them, in cube roots (Wilson & Hilferty, 1931), is given an exponential tail. A normal distribution instead was four
times as often wrong on markets without drift.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp

import numpy as np

from cbi_common.timeseries.dataset import Floats, Ints
from monitor.domain.chances import discoveries
from monitor.domain.finding import Finding
from monitor.domain.market_view import MarketView, changes
from monitor.domain.rules import FeatureRules

DAILY_CHANGE = "{} (daily change)"
"""What the changes of a series are called among the features."""

_KNOWN = 0.9
"""Share of the reference that must be known."""

_DISTINCT = 0.5
"""Share of the known rows with values of their own: what is told once a month has no distribution within a month."""

_TAIL = 0.05
"""Share of the windows that tells how rare the rarest are."""

_EMPTY = 0.5
"""Rows that an empty bin counts as."""


@dataclass(frozen=True)
class Null:
    """A statistic's distribution over the windows of the reference."""

    quantile: float
    threshold: float
    excess: float

    @classmethod
    def of(cls, statistics: Floats, quantile: float) -> Null:
        """Return that of (k,) statistics >= 0."""
        roots = np.cbrt(statistics)
        threshold = float(np.quantile(roots, 1.0 - _TAIL))
        beyond = roots[roots > threshold] - threshold
        excess = float(beyond.mean()) if len(beyond) else 0.0
        return cls(float(np.quantile(statistics, quantile)), threshold, max(excess, 1e-9))

    def p(self, statistic: float) -> float:
        """Return the chance of a statistic as large; 1 where it is not in the tail.

        >>> round(Null(quantile=1.0, threshold=1.0, excess=0.5).p(8.0), 6)
        0.006767
        """
        beyond = float(np.cbrt(statistic)) - self.threshold
        return _TAIL * exp(-beyond / self.excess) if beyond > 0 else 1.0


@dataclass(frozen=True)
class Reference:
    """What a feature was like; ``edges`` (bins - 1,), ``shares`` (bins,), ``ordered`` (n,) ascending."""

    edges: Floats
    shares: Floats
    ordered: Floats
    psi: Null
    ks: Null


@dataclass(frozen=True)
class Drift:
    """How a feature of the last window stands to its reference."""

    psi: float
    psi_limit: float
    ks: float
    ks_limit: float
    p: float

    @property
    def beyond(self) -> bool:
        """Whether a statistic exceeds all but the rarest windows of the reference."""
        return self.psi > self.psi_limit or self.ks > self.ks_limit


def population_stability(counts: Floats, shares: Floats) -> Floats:
    """Return the population stability index, sum of (q - p) ln(q / p).

    Parameters
    ----------
    counts : (..., bins) float64
        Rows of the window in each bin.
    shares : (bins,) float64
        Shares of the reference, > 0.
    """
    filled = np.maximum(counts, _EMPTY)
    q = filled / filled.sum(axis=-1, keepdims=True)
    result: Floats = ((q - shares) * np.log(q / shares)).sum(axis=-1)
    return result


def distance(ranks: Floats) -> Floats:
    """Return the Kolmogorov-Smirnov distance to the reference of windows given as ranks in it.

    The larger one of two: that of the values, which tells a shift, and that of how far they are from the median, which
    tells a change of scale three times as well.

    Parameters
    ----------
    ranks : (..., n) float64
        Share of the reference that is not larger.
    """
    return np.maximum(_distance(ranks), _distance(np.abs(2.0 * ranks - 1.0)))


def _distance(uniform: Floats) -> Floats:
    n = uniform.shape[-1]
    ordered, steps = np.sort(uniform, axis=-1), np.arange(n + 1) / n
    result: Floats = np.maximum(steps[1:] - ordered, ordered - steps[:-1]).max(axis=-1)
    return result


def reference_of(values: Floats, rules: FeatureRules) -> Reference | None:
    """Return what a feature was like, or None when it cannot be judged.

    It cannot when much of it is unknown, when it repeats itself, or when it remembers: what is much the same a week
    later (a level, a spread, the return of a quarter) has told hardly more than one thing in a month, and its month
    is unlike ten years every month. Returns over a day or a week, and shares of a day, are left.

    Parameters
    ----------
    values : (n,) float64
        The reference sample in the order of time.
    rules : FeatureRules
    """
    window = rules.window_sessions
    known = values[~np.isnan(values)]
    if len(values) < rules.least_reference or len(known) < _KNOWN * len(values):
        return None
    if len(np.unique(known)) < _DISTINCT * len(known) or abs(_autocorrelation(known, rules.memory_lag)) > rules.memory:
        return None
    ordered = np.sort(known)
    edges = np.quantile(ordered, np.arange(1, rules.bins) / rules.bins)
    bins = np.searchsorted(edges, known, side="right")
    total = np.cumsum(np.eye(rules.bins)[bins], axis=0)
    counts = total[window - 1 :] - np.vstack([np.zeros((1, rules.bins)), total[:-window]])
    shares = np.bincount(bins, minlength=rules.bins) / len(known)
    ranks = np.searchsorted(ordered, known, side="right") / len(ordered)
    windows = np.lib.stride_tricks.sliding_window_view(ranks, window)
    return Reference(
        edges=edges,
        shares=shares,
        ordered=ordered,
        psi=Null.of(population_stability(counts, shares), rules.quantile),
        ks=Null.of(distance(windows), rules.quantile),
    )


def compare(reference: Reference, window: Floats) -> Drift:
    """Return how the known rows of a window stand to the reference; ``window`` (n,) float64, NaN where not known."""
    known = window[~np.isnan(window)]
    bins = np.searchsorted(reference.edges, known, side="right")
    counts = np.bincount(bins, minlength=len(reference.shares)).astype(np.float64)
    psi = float(population_stability(counts, reference.shares))
    ks = float(distance(np.searchsorted(reference.ordered, known, side="right") / len(reference.ordered)))
    p = min(1.0, 2.0 * min(reference.psi.p(psi), reference.ks.p(ks)))
    return Drift(psi, reference.psi.quantile, ks, reference.ks.quantile, p)


def judged_columns(view: MarketView, every_session: Sequence[str]) -> dict[str, Floats]:
    """Return what may be judged: the daily changes of the series observed every session, and the models' features."""
    moves = {DAILY_CHANGE.format(name): changes(view.series[name]) for name in every_session if name in view.series}
    return moves | dict(view.features)


def reference_rows(sessions: Ints, rules: FeatureRules) -> slice:
    """Return the rows of the reference sample as of the last session.

    It ends on an absolute grid of windows, so that it stays the same for a month.
    """
    end_session = (int(sessions[-1]) - rules.gap_sessions) // rules.window_sessions * rules.window_sessions
    end = int(np.searchsorted(sessions, end_session, side="right"))
    return slice(max(end - rules.reference_sessions, 0), end)


def references(view: MarketView, columns: Mapping[str, Floats], rules: FeatureRules) -> dict[str, Reference]:
    """Return the reference of each column that can be judged as of the last session."""
    rows = reference_rows(view.sessions, rules)
    found = {name: reference_of(values[rows], rules) for name, values in columns.items()}
    return {name: reference for name, reference in found.items() if reference is not None}


def find_drifted(
    view: MarketView,
    columns: Mapping[str, Floats],
    known: Mapping[str, Reference],
    group_of: Mapping[str, str],
    rules: FeatureRules,
) -> list[Finding]:
    """Return the driver groups with features that have drifted, as of the last row.

    Parameters
    ----------
    view : MarketView
    columns : `judged_columns`
    known : `references`
    group_of : column to driver group
    rules : FeatureRules
    """
    checks = [_check(columns, known, back, rules) for back in range(rules.confirmations)]
    drifted = {name: drift for name, drift in checks[0].items() if all(name in check for check in checks)}
    groups: dict[str, list[str]] = {}
    for name in drifted:
        groups.setdefault(group_of.get(name, "other"), []).append(name)
    return [_finding(view, group, {n: drifted[n] for n in names}, rules) for group, names in sorted(groups.items())]


def feature_scores(
    columns: Mapping[str, Floats], known: Mapping[str, Reference], group_of: Mapping[str, str], rules: FeatureRules
) -> dict[str, float]:
    """Return by driver group the largest statistic of its features over its limit, as of the last row."""
    found: dict[str, float] = {}
    for name, drift in _drifts(columns, known, 0, rules).items():
        group = group_of.get(name, "other")
        found[group] = max(found.get(group, 0.0), drift.psi / drift.psi_limit, drift.ks / drift.ks_limit)
    return found


def _check(
    columns: Mapping[str, Floats], known: Mapping[str, Reference], back: int, rules: FeatureRules
) -> dict[str, Drift]:
    """Return the drifts as of ``back`` rows before the last."""
    drifts = _drifts(columns, known, back, rules)
    real = discoveries([drift.p for drift in drifts.values()], rules.false_discoveries)
    return {name: d for (name, d), found in zip(drifts.items(), real, strict=True) if found and d.beyond}


def _drifts(
    columns: Mapping[str, Floats], known: Mapping[str, Reference], back: int, rules: FeatureRules
) -> dict[str, Drift]:
    """Return how every feature stands to its reference as of ``back`` rows before the last."""
    drifts = {}
    for name, reference in known.items():
        end = len(columns[name]) - back
        window = columns[name][max(end - rules.window_sessions, 0) : end]
        if np.isnan(window).mean() < 1.0 - _KNOWN:
            drifts[name] = compare(reference, window)
    return drifts


def _finding(view: MarketView, group: str, drifted: Mapping[str, Drift], rules: FeatureRules) -> Finding:
    worst = min(drifted, key=lambda name: (drifted[name].p, name))
    drift, others = drifted[worst], len(drifted) - 1
    more = f" and {others} more of the group" if others else ""
    return Finding(
        condition=f"feature/{group}",
        kind="feature",
        where=group,
        what=f"{worst}{more}: the last {rules.window_sessions} sessions are unlike the reference "
        f"(PSI {drift.psi:.2f}, {drift.psi_limit:.2f} at most in 999 of 1000 windows; p {drift.p:.1g})",
        hint="look at the source: another unit, another instrument? If the world has changed, watch the errors",
        since=view.day(max(len(view.sessions) - rules.confirmations, 0)),
        evidence={
            name: {"psi": d.psi, "psi_limit": d.psi_limit, "ks": d.ks, "ks_limit": d.ks_limit, "p": d.p}
            for name, d in sorted(drifted.items(), key=lambda item: (item[1].p, item[0]))[:5]
        },
    )


def _autocorrelation(values: Floats, lag: int) -> float:
    centred = values - values.mean()
    spread = float(centred @ centred)
    return float(centred[lag:] @ centred[:-lag]) / spread if spread > 0 else 1.0
