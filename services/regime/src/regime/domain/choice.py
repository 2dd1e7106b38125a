"""Which of the two classifiers speaks: the one that was better before, on labels that it had not seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cbi_common.timeseries.dataset import Floats, Ints
from regime.domain.scores import brier

EVIDENCE = 4
"""Folds before a refit on which the classifiers are compared; a fixed number, so that no call depends on the run."""


def better(candidates: Sequence[Sequence[Floats]], labels: Sequence[Ints]) -> int:
    """Return the candidate with the smallest Brier score, the first among equals and while nothing is known.

    Not the log loss: a class that trees have never seen costs them so much of it on one day that it would silence them
    for years.

    Parameters
    ----------
    candidates : per candidate, per earlier fold (n, k) float64
        Probabilities as they were called in that fold.
    labels : per earlier fold (n,) int64
    """
    if not labels:
        return 0
    outcome = np.concatenate(labels)
    losses = [brier(np.vstack(folds), outcome) for folds in candidates]
    return int(np.argmin([np.inf if loss is None else loss for loss in losses]))
