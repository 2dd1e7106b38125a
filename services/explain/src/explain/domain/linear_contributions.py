"""What each driver adds to the forecast of a straight line."""

from __future__ import annotations

import json

import numpy as np

from cbi_common.timeseries.dataset import Floats
from cbi_common.timeseries.scaling import CLIP
from explain.domain.row import Row, values_of


def contributions(artifact: bytes, row: Row) -> tuple[list[str], Floats, float]:
    """Return feature names (p), what each contributes as log return (p,), and 0: a line through the origin expects it.

    Parameters
    ----------
    artifact : bytes
        JSON of `trainer_cpu.domain.ridge`: what a missing value says is part of its feature.
    row : Row
    """
    raw = json.loads(artifact)
    names, slopes = list(raw["names"]), np.array(raw["coefficients"])
    values = values_of(names, row)[0]
    scaled = np.clip((values - np.array(raw["centre"])) / np.array(raw["scale"]), -CLIP, CLIP)
    found = slopes[: len(names)] * np.where(np.isnan(scaled), 0.0, scaled)
    for name, slope in zip(raw["flagged"], slopes[len(names) :], strict=True):
        place = names.index(name)
        found[place] += slope * float(np.isnan(values[place]))
    return names, found, 0.0
