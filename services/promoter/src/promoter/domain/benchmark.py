"""The candidate against somebody else's predictions, on the same rows; rows that cannot be honest are refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cbi_common.timeseries.dataset import Floats, Ints

LATE = "made on or after its target date"

Days = NDArray[np.datetime64]

LEAST_ROWS = 48
"""Common rows below which nothing is compared: about a year of weekly cutoffs."""


@dataclass(frozen=True)
class BenchmarkRows:
    """Predictions of one horizon, m of them.

    Attributes
    ----------
    sessions, target_sessions : (m,) int64
    predicted : (m,) float64
        Price.
    made : (m,) datetime64[D]
        Day on which each was written.
    """

    sessions: Ints
    target_sessions: Ints
    predicted: Floats
    made: Days


@dataclass(frozen=True)
class AgainstBenchmark:
    """What the comparison came to.

    Attributes
    ----------
    n : rows that both have
    mape, benchmark_mape : float
        On these rows, fractions.
    benchmark_p : float or None
        One-sided Diebold-Mariano p-value of "the candidate is closer".
    refused : reason to number of rows
    """

    n: int
    mape: float
    benchmark_mape: float
    benchmark_p: float | None
    refused: dict[str, int]


def refuse(rows: BenchmarkRows, horizon: int, target_days: Days) -> tuple[NDArray[np.bool_], dict[str, int]]:
    """Return which rows may be used, and how many were refused why.

    Parameters
    ----------
    rows : BenchmarkRows
    horizon : sessions
    target_days : (m,) datetime64[D]
        Day of each target session: what is written on that day or later knows the outcome.
    """
    _, first, counts = np.unique(rows.sessions, return_index=True, return_counts=True)
    repeated = np.isin(rows.sessions, rows.sessions[first][counts > 1])
    tests: Sequence[tuple[str, NDArray[np.bool_]]] = (
        (LATE, rows.made >= target_days),
        ("target is not one horizon after the cutoff", rows.target_sessions - rows.sessions != horizon),
        ("not a positive price", ~(np.isfinite(rows.predicted) & (rows.predicted > 0))),
        ("more than one prediction for the cutoff", repeated),
    )
    bad = np.zeros(len(rows.sessions), dtype=bool)
    counted = {}
    for reason, found in tests:
        if new := int((found & ~bad).sum()):
            counted[reason] = new
        bad |= found
    return ~bad, counted


def common(sessions: Ints, others: Ints) -> tuple[Ints, Ints]:
    """Return the rows of each of two lists of distinct sessions that the other has too, paired."""
    _, mine, theirs = np.intersect1d(sessions, others, assume_unique=True, return_indices=True)
    return mine.astype(np.int64), theirs.astype(np.int64)
