"""Pairs of series that no longer move together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np

from cbi_common.timeseries.dataset import Floats
from monitor.domain.chances import upper_tail_normal
from monitor.domain.finding import Finding
from monitor.domain.market_view import MarketView, changes
from monitor.domain.rules import CorrelationRules

_CLIPPED = 0.999
_LEAST_ROWS = 0.8
"""Share of a window that must be known."""


@dataclass(frozen=True)
class Link:
    """The correlation of a window beside that of the long run.

    Attributes
    ----------
    now, long_run : float
    z : float
        How much weaker, in standard errors of Fisher's z; negative: stronger.
    p : float
        One-sided p-value of "it is as it was".
    """

    now: float
    long_run: float
    z: float
    p: float


def rolling_correlation(a: Floats, b: Floats, window: int) -> Floats:
    """Return the correlation of the last ``window`` rows at each row, NaN where too few of them are known.

    Parameters
    ----------
    a, b : (n,) float64
    window : int

    Returns
    -------
    (n,) float64
    """
    known = ~(np.isnan(a) | np.isnan(b))
    x, y = (np.where(known, values, 0.0) for values in (a, b))
    sums = [_moving_sum(values, window) for values in (known.astype(np.float64), x, y, x * x, y * y, x * y)]
    n, sx, sy, sxx, syy, sxy = sums
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = (n * sxx - sx**2) * (n * syy - sy**2)
        result = (n * sxy - sx * sy) / np.sqrt(np.maximum(spread, 0.0))
    return np.where((n >= _LEAST_ROWS * window) & (spread > 0), np.clip(result, -_CLIPPED, _CLIPPED), np.nan)


def weakening(rolling: Floats, row: int, rules: CorrelationRules) -> Link | None:
    """Return how much weaker the correlation at ``row`` is than in the long run before the window.

    The standard error is that of Fisher (1915), or, where that is larger, the spread of the reference's own windows:
    volatility that comes in spells makes correlations wander more than independent normal returns would.

    Parameters
    ----------
    rolling : (n,) float64
        `rolling_correlation`.
    row : int
    rules : CorrelationRules

    Returns
    -------
    Link or None
        None while the reference is too short or there never was a link.
    """
    reference = rolling[: max(row + 1 - rules.gap_sessions, 0)]
    reference = reference[~np.isnan(reference)]
    if len(reference) < rules.least_reference or np.isnan(rolling[row]):
        return None
    past = np.arctanh(reference)
    usual = float(past.mean())
    if abs(np.tanh(usual)) < rules.least_link:
        return None
    error = max(1.0 / sqrt(rules.window_sessions - 3), float(past.std()))
    z = float(np.sign(usual) * (usual - np.arctanh(rolling[row])) / error)
    return Link(float(rolling[row]), float(np.tanh(usual)), z, upper_tail_normal(z))


def find_broken(view: MarketView, pairs: Sequence[tuple[str, str]], rules: CorrelationRules) -> list[Finding]:
    """Return the pairs whose correlation on daily returns has broken down, as of the last row.

    Corrected for the number of pairs (Bonferroni), and met on several sessions running.

    Parameters
    ----------
    view : MarketView
    pairs : names of two series each
    rules : CorrelationRules
    """
    found, last = [], len(view.sessions) - 1
    limit = rules.alpha / max(len(pairs), 1)
    for (one, other), links in _links(view, pairs, rules).items():
        link = links[-1]
        if link is None or any(earlier is None or earlier.p > limit for earlier in links):
            continue
        found.append(
            Finding(
                condition=f"correlation/{one}-{other}",
                kind="correlation",
                action="retrain",
                where=f"{one}-{other}",
                what=f"{one} and {other}: correlation {link.now:+.2f} over {rules.window_sessions} sessions, usually "
                f"{link.long_run:+.2f} ({link.z:.1f} standard errors weaker)",
                hint=f"ask what has changed between the two; trust less what forecasts make of {other}",
                since=view.day(max(last - rules.confirmations + 1, 0)),
                evidence={"correlation": link.now, "long_run": link.long_run, "z": link.z, "p": link.p},
            )
        )
    return found


def correlation_scores(view: MarketView, pairs: Sequence[tuple[str, str]], rules: CorrelationRules) -> dict[str, float]:
    """Return by pair how much weaker its correlation is, over the limit; pairs that cannot be judged are left out."""
    limit = NormalDist().inv_cdf(1.0 - rules.alpha / max(len(pairs), 1))
    return {
        f"{one}-{other}": link.z / limit
        for (one, other), links in _links(view, pairs, rules).items()
        if (link := links[-1]) is not None
    }


def _links(
    view: MarketView, pairs: Sequence[tuple[str, str]], rules: CorrelationRules
) -> dict[tuple[str, str], list[Link | None]]:
    """Return each pair whose series are known with its correlation at the last sessions."""
    last = len(view.sessions) - 1
    rows = range(max(last - rules.confirmations + 1, 0), last + 1)
    found: dict[tuple[str, str], list[Link | None]] = {}
    for one, other in (pair for pair in pairs if set(pair) <= view.series.keys()):
        rolling = rolling_correlation(changes(view.series[one]), changes(view.series[other]), rules.window_sessions)
        found[one, other] = [weakening(rolling, row, rules) for row in rows]
    return found


def _moving_sum(values: Floats, window: int) -> Floats:
    total = np.cumsum(values)
    total[window:] -= np.cumsum(values)[:-window]
    return total
