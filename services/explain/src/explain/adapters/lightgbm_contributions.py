"""LightGBM's own additive attributions (TreeSHAP: Lundberg et al., 2020)."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from cbi_common.timeseries.dataset import Floats
from cbi_common.training.lean_import import absent
from explain.domain.row import Rows


def contributions(artifact: bytes, rows: Rows) -> tuple[list[str], Floats, Floats]:
    """Return what each feature contributes to the prediction for each row.

    Parameters
    ----------
    artifact : bytes
        LightGBM's model text.
    rows : Rows
        n of them; features that the model does not use are ignored.

    Returns
    -------
    names : p feature names of the model
    contributions : (n, p) float64
    expected : (n,) float64
        The model's mean prediction; with the contributions it sums to the prediction.

    Raises
    ------
    DataError
        When the rows lack a feature of the model.
    """
    booster = _load().Booster(model_str=artifact.decode())
    names = [str(name) for name in booster.feature_name()]
    found = np.asarray(booster.predict(rows.of(names), pred_contrib=True, num_threads=1), dtype=np.float64)
    return names, found[:, :-1], found[:, -1]


def _load() -> ModuleType:
    with absent("sklearn", "pandas", "matplotlib"):
        import lightgbm

    return lightgbm  # type: ignore[no-any-return]
