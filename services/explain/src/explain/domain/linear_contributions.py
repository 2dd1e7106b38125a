"""What each driver adds to the forecast of a straight line."""

from __future__ import annotations

import json

import numpy as np

from cbi_common.timeseries.dataset import Floats
from cbi_common.timeseries.scaling import CLIP
from explain.domain.row import Rows


def contributions(artifact: bytes, rows: Rows) -> tuple[list[str], Floats, Floats]:
    """Return feature names (p), what each contributes as log return (n, p), and 0 (n,): what a line expects.

    Parameters
    ----------
    artifact : bytes
        JSON of `trainer_cpu.domain.ridge`: what a missing value says is part of its feature.
    rows : Rows
    """
    raw = json.loads(artifact)
    names, slopes = list(raw["names"]), np.array(raw["coefficients"])
    values = rows.of(names)
    scaled = np.clip((values - np.array(raw["centre"])) / np.array(raw["scale"]), -CLIP, CLIP)
    found = slopes[: len(names)] * np.where(np.isnan(scaled), 0.0, scaled)
    for name, slope in zip(raw["flagged"], slopes[len(names) :], strict=True):
        place = names.index(name)
        found[:, place] += slope * np.isnan(values[:, place])
    return names, found, np.zeros(len(values))
