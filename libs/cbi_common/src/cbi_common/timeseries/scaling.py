"""Inputs and targets of a model that adds up its inputs, scaled by what the training rows say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cbi_common.timeseries.dataset import Dataset, Floats

CLIP = 5.0
"""Standard deviations: a live value beyond all training rows moves the forecast no further."""


@dataclass(frozen=True)
class Inputs:
    """Which columns a model reads and how it scales them.

    Attributes
    ----------
    names : p columns that the training rows know and that vary there
    centre, scale : (p,) float64
        Mean and standard deviation over the training rows.
    flagged : columns of ``names`` that lack values in the training rows; each gets an input that says so
    """

    names: tuple[str, ...]
    centre: Floats
    scale: Floats
    flagged: tuple[str, ...]

    @property
    def size(self) -> int:
        """Number of inputs."""
        return len(self.names) + len(self.flagged)

    def of(self, rows: Dataset) -> Floats:
        """Return the inputs (n, size) of some rows; a missing value is 0, the training mean."""
        place = {name: i for i, name in enumerate(rows.names)}
        values = rows.features[:, [place[name] for name in self.names]]
        scaled = np.clip((values - self.centre) / self.scale, -CLIP, CLIP)
        flags = np.isnan(rows.features[:, [place[name] for name in self.flagged]]).astype(np.float64)
        return np.hstack([np.where(np.isnan(scaled), 0.0, scaled), flags])


def inputs_of(train: Dataset, counted: NDArray[np.bool_] | None = None) -> Inputs:
    """Return the inputs that the training rows support; a column without values, or without variation, is left out.

    Parameters
    ----------
    train : Dataset
    counted : (n,) bool, optional
        Rows that are learned from; the others decide nothing. None: all.
    """
    rows = train.features if counted is None else train.features[counted]
    known = np.isfinite(rows)
    count = known.sum(axis=0)
    filled = np.where(known, rows, 0.0)
    centre = filled.sum(axis=0) / np.maximum(count, 1)
    deviation = np.where(known, rows - centre, 0.0)
    scale = np.sqrt((deviation**2).sum(axis=0) / np.maximum(count, 1))
    keep = np.flatnonzero(scale > 1e-12 * np.maximum(np.abs(centre), 1.0))
    names = tuple(train.names[i] for i in keep)
    flagged = tuple(train.names[i] for i in keep if count[i] < len(rows))
    return Inputs(names, centre[keep], scale[keep], flagged)


def target_scale(targets: Floats) -> float:
    """Return the standard deviation of the targets that are known, around no change."""
    known = targets[np.isfinite(targets)]
    return float(np.sqrt(np.mean(known**2)))
