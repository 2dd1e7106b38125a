"""Probabilities that the rules are built on, without a library that costs a second to import."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb, erfc, sqrt

import numpy as np
from numpy.typing import NDArray


def upper_tail_normal(z: float) -> float:
    """Return P(Z > z).

    >>> round(upper_tail_normal(1.6449), 4)
    0.05
    """
    return 0.5 * erfc(z / sqrt(2.0))


def at_most(hits: int, n: int, chance: float) -> float:
    """Return the probability of at most ``hits`` successes in ``n`` independent trials.

    >>> round(at_most(3, 10, 0.5), 4)
    0.1719
    """
    return sum(comb(n, k) * chance**k * (1.0 - chance) ** (n - k) for k in range(hits + 1))


def two_sided(hits: int, n: int, chance: float) -> float:
    """Return the two-sided p-value of ``hits`` successes in ``n`` independent trials: twice the smaller tail."""
    below, above = at_most(hits, n, chance), 1.0 - at_most(hits - 1, n, chance)
    return min(1.0, 2.0 * min(below, above))


def discoveries(p_values: Sequence[float], share: float) -> NDArray[np.bool_]:
    """Return which hypotheses are rejected with an expected share of false rejections of at most ``share``.

    Benjamini & Hochberg (1995): the k smallest, k being the largest rank with ``p <= share * rank / m``.

    >>> discoveries([0.001, 0.02, 0.4, 0.9], 0.05).tolist()
    [True, True, False, False]
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    below = p[order] <= share * np.arange(1, len(p) + 1) / max(len(p), 1)
    found = np.zeros(len(p), dtype=bool)
    if below.any():
        found[order[: int(np.flatnonzero(below)[-1]) + 1]] = True
    return found
