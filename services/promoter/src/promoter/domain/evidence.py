"""What the gates look at, gathered from walk-forward artifacts only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cbi_common.core.horizon import Horizon
from cbi_common.events.forecast import LiveMember
from cbi_common.events.proofs import LeakageProof
from cbi_common.events.training import Metrics
from cbi_common.timeseries.dataset import Dataset, Floats, Ints
from cbi_common.timeseries.losses import r2
from promoter.domain.benchmark import AgainstBenchmark
from promoter.domain.response import Response

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
class Signs:
    """Signed drivers whose attributions over past cutoffs were looked at."""

    agree: tuple[str, ...]
    disagree: tuple[str, ...]
    n_past: int


@dataclass(frozen=True)
class Evidence:
    """Everything the gates of one horizon may look at; None is what is not known."""

    metrics: Metrics
    coverage_90: float | None
    simulated: bool
    years: tuple[YearScore, ...]
    r2_against_no_change: float | None
    purge: Purge
    split_problems: tuple[str, ...]
    """Refits of members that had labels or rows from after them."""
    too_good: tuple[str, ...]
    """Why scores of the candidate cannot be believed."""
    leakage: LeakageProof | None
    """Poisoning proof of this program, market, catalogue and profile."""
    benchmark: AgainstBenchmark | None
    declared_mape: float | None
    """What somebody has told of the benchmark; shown and not compared with."""
    signs: Signs | None
    responses: tuple[Response, ...] | None
    ceiling_r2: float | None
    """On a simulated market: R2 against no-change of who knows the process, on the same rows."""
    refits: tuple[str, int] | None
    """Least often refitted member with a weight, and how often; None when nothing that needs a fit has a weight."""
    best_member: str | None
    regime_accuracy: float | None
    unperturbed: str = ""
    """Why ``responses`` is None."""
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Name of a check to the lake objects that it rests on."""


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


def split_problems(known: Dataset, refits: Ints, horizon: Horizon) -> tuple[str, ...]:
    """Return what breaks the split at some refit, as readable lines: rows or outcomes from after it.

    Parameters
    ----------
    known : Dataset
        Rows that the run has.
    refits : (r,) int64
        Sessions of the refits.
    """
    found = []
    for refit in refits.tolist():
        train = known.until(refit)
        matured = train.sessions[np.isfinite(train.targets(horizon))]
        if len(train.sessions) and train.sessions[-1] > refit:
            found.append(f"the refit of session {refit} sees rows from after it")
        if len(matured) and matured[-1] + horizon.sessions > refit:
            found.append(f"the refit of session {refit} learns an outcome of session {matured[-1] + horizon.sessions}")
    return tuple(found)
