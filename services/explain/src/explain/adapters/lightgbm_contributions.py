"""LightGBM's own additive attributions (TreeSHAP: Lundberg et al., 2020)."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from cbi_common.timeseries.dataset import Floats
from cbi_common.training.lean_import import absent
from explain.domain.row import Row, values_of


def contributions(artifact: bytes, row: Row) -> tuple[list[str], Floats, float]:
    """Return what each feature contributes to the prediction for one row.

    Parameters
    ----------
    artifact : bytes
        LightGBM's model text.
    row : mapping of feature name to value
        NaN where unknown; features that the model does not use are ignored.

    Returns
    -------
    names : p feature names of the model
    contributions : (p,) float64
    expected : float
        The model's mean prediction; with the contributions it sums to the prediction.

    Raises
    ------
    DataError
        When the row lacks a feature of the model.
    """
    booster = _load().Booster(model_str=artifact.decode())
    names = [str(name) for name in booster.feature_name()]
    found = np.asarray(booster.predict(values_of(names, row), pred_contrib=True, num_threads=1), dtype=np.float64)[0]
    return names, found[:-1], float(found[-1])


def _load() -> ModuleType:
    with absent("sklearn", "pandas", "matplotlib"):
        import lightgbm

    return lightgbm  # type: ignore[no-any-return]
