"""LightGBM as a multiclass classifier: arrays and a model text in, a model text and probabilities out."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from cbi_common.timeseries.dataset import Floats, Ints
from cbi_common.timeseries.regimes import CLASSES
from cbi_common.training.lean_import import absent
from regime.domain.classifier import FEATURES

ROUNDS = 60
PARAMETERS: dict[str, str | int | float | bool] = {
    "objective": "multiclass",
    "num_class": len(CLASSES),
    "learning_rate": 0.1,
    "num_leaves": 7,
    "min_data_in_leaf": 20,
    "seed": 20200101,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}


def fit(x: Floats, labels: Ints) -> str:
    """Fit on ``x`` (n, p) and ``labels`` (n,) (class order: `CLASSES`); equal arrays give an equal text."""
    lightgbm = _load()
    rows = lightgbm.Dataset(x, labels, feature_name=list(FEATURES), params={"verbosity": -1})
    return str(lightgbm.train(PARAMETERS, rows, num_boost_round=ROUNDS).model_to_string())


def probabilities(model: str, x: Floats) -> Floats:
    """Return the class probabilities (n, number of classes) of a model text."""
    booster = _load().Booster(model_str=model)
    return np.asarray(booster.predict(x, num_threads=1), dtype=np.float64)


def _load() -> ModuleType:
    with absent("sklearn", "pandas", "matplotlib"):
        import lightgbm

    return lightgbm  # type: ignore[no-any-return]
