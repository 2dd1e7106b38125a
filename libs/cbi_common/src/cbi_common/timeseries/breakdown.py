"""Scores by group of cutoffs: era, regime at the cutoff, size of the move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cbi_common.timeseries.dataset import Floats, Ints
from cbi_common.timeseries.eras import Era, era_of
from cbi_common.timeseries.scoring import Score, score

MOVES = (0.02, 0.05, 0.10)
"""Limits of the sizes of move: below 2, 2 to 5, 5 to 10, above 10 % (DOMAIN section 6)."""


@dataclass(frozen=True)
class Scored:
    """Forecasts of one model at one horizon with their outcomes.

    Attributes
    ----------
    dates : (n,) datetime64[D]
    sessions : (n,) int64
        Cutoffs, ascending.
    price : (n,) float64
        > 0, at the cutoff.
    y_hat, y : (n,) float64
        Log return over the horizon, forecast and actual (NaN where not known).
    horizon_sessions, step : int > 0
    """

    dates: NDArray[np.datetime64]
    sessions: Ints
    price: Floats
    y_hat: Floats
    y: Floats
    horizon_sessions: int
    step: int


def by_group(rows: Scored, groups: Mapping[str, NDArray[np.bool_]]) -> dict[str, Score]:
    """Return the score of each group of rows that has one; ``groups`` maps a name to a mask (n,)."""
    found = {name: _score(rows, mask) for name, mask in groups.items()}
    return {name: score for name, score in found.items() if score.n}


def era_groups(dates: NDArray[np.datetime64], eras: Sequence[Era]) -> dict[str, NDArray[np.bool_]]:
    """Return the rows of each era, by the date of the cutoff; the list of eras is hindsight."""
    where = era_of(dates, eras)
    return {era.name: where == i for i, era in enumerate(eras)}


def regime_groups(labels: Ints, names: Sequence[str]) -> dict[str, NDArray[np.bool_]]:
    """Return the rows of each regime from labels (n,) known at the cutoff: positions in ``names``, negative unknown."""
    return {name: labels == i for i, name in enumerate(names)}


def move_groups(y: Floats) -> dict[str, NDArray[np.bool_]]:
    """Return the rows of each size of move: what happened, so a model cannot be chosen by it, only understood.

    >>> {name: mask.tolist() for name, mask in move_groups(np.array([0.0, -0.2])).items() if mask.any()}
    {'< 2 %': [True, False], '> 10 %': [False, True]}
    """
    size = np.abs(np.expm1(y))
    edges = (0.0, *MOVES, np.inf)
    names = [f"< {MOVES[0]:.0%}", *(f"{a:.0%}-{b:.0%}" for a, b in pairwise(MOVES))]
    names = [name.replace("%", " %") for name in (*names, f"> {MOVES[-1]:.0%}")]
    return {name: (size >= a) & (size < b) for name, (a, b) in zip(names, pairwise(edges), strict=True)}


def _score(rows: Scored, mask: NDArray[np.bool_]) -> Score:
    return score(
        rows.sessions[mask],
        rows.sessions[mask] + rows.horizon_sessions,
        rows.price[mask],
        rows.y_hat[mask],
        rows.y[mask],
        horizon_sessions=rows.horizon_sessions,
        step=rows.step,
    )
