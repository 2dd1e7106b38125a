"""What the gates look at, gathered from walk-forward artifacts only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cbi_common.events.forecast import LiveMember
from cbi_common.events.training import Metrics
from cbi_common.timeseries.dataset import Floats, Ints
from cbi_common.timeseries.losses import r2

LEAST_CUTOFFS = 12
"""Cutoffs that make a calendar year a validation window."""


@dataclass(frozen=True)
class YearScore:
    """Level R2 of one calendar year of targets, about the year's own mean."""

    year: int
    n: int
    r2: float
    r2_no_change: float


@dataclass(frozen=True)
class Purge:
    """Outcome of the purge check over the members' prediction tables."""

    tables: int
    rows: int
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Evidence:
    """Everything the gates of one horizon may look at; None is what is not known."""

    metrics: Metrics
    coverage_90: float | None
    simulated: bool
    years: tuple[YearScore, ...]
    r2_against_no_change: float | None
    purge: Purge
    refits: tuple[str, int] | None
    """Least often refitted member with a weight, and how often; None when nothing that needs a fit has a weight."""
    best_member: str | None
    regime_accuracy: float | None


def yearly_r2(years: Ints, actual: Floats, forecast: Floats, no_change: Floats) -> tuple[YearScore, ...]:
    """Return the level R2 of every calendar year with at least `LEAST_CUTOFFS` cutoffs.

    Parameters
    ----------
    years : (n,) int64
        Calendar year of each target.
    actual, forecast, no_change : (n,) float64
        Prices in one unit.

    Returns
    -------
    tuple of YearScore
        Ascending by year; a year whose price never moved has no R2 and is left out.
    """
    found = []
    for year in np.unique(years):
        rows = years == year
        own, unchanged = r2(forecast[rows], actual[rows]), r2(no_change[rows], actual[rows])
        if rows.sum() >= LEAST_CUTOFFS and own is not None and unchanged is not None:
            found.append(YearScore(int(year), int(rows.sum()), own, unchanged))
    return tuple(found)


def r2_against_no_change(actual: Floats, forecast: Floats, no_change: Floats) -> float | None:
    """Return ``1 - SSE / SSE of no-change``, None when no-change never erred."""
    base = float(((no_change - actual) ** 2).sum())
    return 1.0 - float(((forecast - actual) ** 2).sum()) / base if base > 0 else None


def purge_problems(
    sessions: Ints, target_sessions: Ints, refit_sessions: Ints, y: Floats, *, horizon: int, as_of_session: int
) -> tuple[str, ...]:
    """Return what breaks the purge in one prediction table, as readable lines; none when it holds.

    Parameters
    ----------
    sessions, target_sessions, refit_sessions : (n,) int64
    y : (n,) float64
        Actual log returns, NaN where not matured.
    horizon : int
        Sessions.
    as_of_session : int
        Nothing after it may have been known.
    """
    checks: list[tuple[str, NDArray[np.bool_]]] = [
        ("target is not one horizon after the cutoff", target_sessions - sessions != horizon),
        ("refit after the cutoff it serves", refit_sessions > sessions),
        ("cutoff after as_of", sessions > as_of_session),
        ("outcome filled before its target date", ~np.isnan(y) & (target_sessions > as_of_session)),
        ("cutoffs out of order or twice", np.diff(sessions) <= 0),
    ]
    return tuple(f"{what} in {int(bad.sum())} rows" for what, bad in checks if bad.any())


def least_refits(weights: Mapping[str, float], refits: Mapping[str, int]) -> tuple[str, int] | None:
    """Return the member with a weight that was refitted least often; no-change needs no fit and does not count."""
    counts = sorted((refits[m], m) for m, w in weights.items() if w > 0 and m != "no_change" and m in refits)
    return (counts[0][1], counts[0][0]) if counts else None


def best_member(members: Mapping[str, LiveMember]) -> str | None:
    """Return the id of the member with the highest skill, None when none has been scored."""
    scored = [(-m.metrics.skill, model_id) for model_id, m in members.items() if m.metrics.skill is not None]
    return min(scored)[1] if scored else None
