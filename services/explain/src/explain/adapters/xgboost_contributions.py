"""XGBoost's own additive attributions (TreeSHAP: Lundberg et al., 2020)."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from cbi_common.timeseries.dataset import Floats
from cbi_common.training.lean_import import absent
from explain.domain.row import Rows


def contributions(artifact: bytes, rows: Rows) -> tuple[list[str], Floats, Floats]:
    """Return feature names (p), what each contributes as log return (n, p), and the model's expectation (n,).

    Arguments as in `lightgbm_contributions.contributions`; the artifact is XGBoost's UBJSON, with the target's
    scale as an attribute.
    """
    xgboost = _load()
    booster = xgboost.Booster({"nthread": 1}, model_file=bytearray(artifact))
    names = [str(name) for name in booster.feature_names]
    data = xgboost.DMatrix(rows.of(names), feature_names=names, nthread=1)
    found = np.asarray(booster.predict(data, pred_contribs=True), dtype=np.float64) * float(booster.attr("scale"))
    return names, found[:, :-1], found[:, -1]


def _load() -> ModuleType:
    with absent("sklearn", "pandas", "matplotlib"):
        import xgboost

    return xgboost
