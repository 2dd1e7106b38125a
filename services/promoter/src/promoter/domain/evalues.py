"""Evidence that one forecaster is closer than another, valid however often and whenever one looks.

Testing by betting (Shafer, 2021, JRSS A 184:407): capital 1 is staked against "the challenger is no better". For each
outcome the difference of the two absolute errors, divided by the distance of the two forecasts, lies in [-1, 1] by the
triangle inequality, and the distance is known when the forecasts are made: so under the hypothesis the stake is fair or
worse, and the capital is an e-value at any stopping time (Choe & Ramdas, 2023, Operations Research, "Comparing
sequential forecasters"). No bound on prices is assumed. The share that is staked is not tuned: capital is spread evenly
over `STAKES`, and more is staked where the two are further apart than usual, which is known too: a forecaster who says
"hardly anything" is right about as often as a coin, and what it is worth shows where it dares to say more (Kelly's
share grows with the edge).

An outcome h sessions ahead is bet on in h streams, each with one open bet at a time, and their mean is reported
(Arnold, Henzi & Ziegel, 2023, Annals of Statistics 51:1492). Who stops while a bet is open knows more than the stream
did when it was placed; so open bets count as lost, which makes the mean valid at any time that anybody may choose.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np

from cbi_common.timeseries.dataset import Floats, Ints

STAKES = (0.1, 0.25, 0.5, 0.75)
"""Shares of the capital, where the forecasts are as far apart as they have been so far on average."""

LARGEST = 0.75
"""Nobody stakes more: who stakes all is ruined by one lost bet."""

DECIDES = 20.0
"""E-value that is enough: at most one false promotion in twenty challengers that are no better (Ville's inequality)."""


@dataclass(frozen=True)
class Pairs:
    """Forecasts of two forecasters at n cutoffs, ascending.

    Attributes
    ----------
    sessions : (n,) int64
    champion, challenger : (n,) float64
        Log returns over the horizon.
    actual : (n,) float64
        NaN where the outcome is not known yet.
    """

    sessions: Ints
    champion: Floats
    challenger: Floats
    actual: Floats


def e_value(pairs: Pairs, horizon: int) -> float:
    """Return the evidence that the challenger is closer: the factor by which a bet on it has grown.

    Parameters
    ----------
    pairs : Pairs
    horizon : int
        Sessions from cutoff to outcome.

    Returns
    -------
    float
        1 before anything has matured; the hypothesis "no better" is rejected at 5 % when it ever reaches 20.

    >>> one = Pairs(np.array([0]), np.array([0.0]), np.array([0.02]), np.array([0.05]))
    >>> round(e_value(one, 1), 3)
    1.4
    """
    distance = np.abs(pairs.champion - pairs.challenger)
    staked = distance > 0
    if not staked.any():
        return 1.0
    gain = np.abs(pairs.champion - pairs.actual) - np.abs(pairs.challenger - pairs.actual)
    score, apart = gain[staked] / distance[staked], distance[staked]
    streams = pairs.sessions[staked] % horizon
    bets = [streams == stream for stream in range(horizon)]
    return float(np.mean([_capital(score[mine], apart[mine]) for mine in bets]))


def _capital(scores: Floats, distance: Floats) -> float:
    """Capital of one stream; a bet whose outcome is not known counts as lost."""
    lost = np.where(np.isnan(scores), -1.0, np.clip(scores, -1.0, 1.0))
    usual = np.cumsum(distance) / np.arange(1, len(distance) + 1)
    return float(np.mean([np.prod(1.0 + np.minimum(LARGEST, stake * distance / usual) * lost) for stake in STAKES]))


def reversed_pairs(pairs: Pairs) -> Pairs:
    """Return the pairs with the roles exchanged: evidence that the champion is closer."""
    return Pairs(pairs.sessions, pairs.challenger, pairs.champion, pairs.actual)


def least_sessions(horizon: int) -> int:
    """Return how many forecasts, one a session, it takes until a challenger that is always right is promoted.

    Each stream then has one open bet, which counts as lost, and as many won ones as its turn has come.

    >>> least_sessions(5), least_sessions(252)
    (52, 2612)
    """
    won = 0
    while (more := _won(won + 1)) < DECIDES:
        won += 1
    ahead = ceil(horizon * (DECIDES - _won(won)) / (more - _won(won)))  # streams that have won once more
    return (won + 1) * horizon + ahead


def _won(bets: int) -> float:
    """Capital of a stream after so many bets won, and one open."""
    return float(np.mean([(1.0 + stake) ** bets * (1.0 - stake) for stake in STAKES]))
