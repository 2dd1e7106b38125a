"""Folds and predictions that were computed before, by a digest of everything that decides them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cbi_common.core.horizon import Horizon
from cbi_common.core.identity import digest, sha256_hex
from cbi_common.events.base import LakeRef
from cbi_common.storage.lake import Lake
from cbi_common.timeseries.dataset import Floats


def fold_key(
    environment: Mapping[str, Any],
    learner: str,
    horizons: Sequence[Horizon],
    params: Mapping[str, Any],
    seed: int,
    rows: str,
    weights: Floats,
) -> str:
    """Return the lake key of a fitted model.

    Parameters
    ----------
    environment : mapping
        `Environment.identity`.
    rows : str
        `Dataset.digests` of the training rows: their columns and every value.
    weights : (n,) float64
        Weight of each training row.
    """
    decided = digest(environment, learner, list(horizons), params, seed, rows, sha256_hex(weights.tobytes()))
    return f"fold/{decided}"


@dataclass(frozen=True)
class FoldCache:
    """Models and segments in the lake; a damaged object counts as missing and is made again."""

    lake: Lake

    def artifact(self, key: str) -> bytes | None:
        """Return a fitted model, or None."""
        return self.lake.get_if_intact(key)

    def keep_artifact(self, key: str, artifact: bytes) -> None:
        """Store a fitted model."""
        self.lake.put(key, artifact)

    def reference(self, key: str) -> LakeRef | None:
        """Return the claim check of a stored model."""
        return self.lake.find(key)

    def segment(self, fold: str, views: Sequence[str]) -> Floats | None:
        """Return the forecasts (cutoffs, horizons) that the model of ``fold`` made from ``views``, or None.

        ``views`` are the `Dataset.digests` at the cutoffs: a forecast may depend on every value known by then.
        """
        stored = self.lake.get_if_intact(_segment_key(fold, views))
        return None if stored is None else np.array(json.loads(stored), dtype=np.float64)

    def keep_segment(self, fold: str, views: Sequence[str], y_hat: Floats) -> None:
        """Store forecasts; JSON holds a float64 to the last bit."""
        self.lake.put_json(_segment_key(fold, views), y_hat.tolist())


def _segment_key(fold: str, views: Sequence[str]) -> str:
    return f"segment/{digest(fold, list(views))}"
