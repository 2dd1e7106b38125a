"""LightGBM as a chooser of weights: what is known at a cutoff in, weights over k pools out.

The objective is that of FFORMA (Montero-Manso, Athanasopoulos, Hyndman & Talagala, 2020): the trees' scores become
weights by a softmax, and what is minimised is the mean of the pools' losses under these weights.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from cbi_common.timeseries.dataset import Floats
from cbi_common.training.lean_import import absent

if TYPE_CHECKING:
    from lightgbm import Booster

ROUNDS = 30
PARAMETERS: dict[str, str | int | float | bool] = {
    "learning_rate": 0.2,
    "num_leaves": 4,
    "min_data_in_leaf": 50,
    "min_sum_hessian_in_leaf": 0.0,
    "lambda_l2": 4.0,
    "boost_from_average": False,
    "feature_pre_filter": False,
    "seed": 20200101,
    "num_threads": 1,
    "deterministic": True,
    "force_col_wise": True,
    "verbosity": -1,
}


def fit(x: Floats, losses: Floats, start: Floats, counts: Floats) -> Booster:
    """Return the fitted trees; equal arrays give equal trees.

    Parameters
    ----------
    x : (n, p) float64
        What was known at each cutoff, NaN where it was not.
    losses : (n, k) float64
        What each pool's forecast lost, in standard deviations; whatever it is where ``start`` is -inf.
    start : (n, k) float64
        Scores to begin with: logarithms of weights, -inf for a pool without a forecast.
    counts : (n,) float64
        How much of an independent outcome each row is.
    """
    lightgbm = load_library()
    k = losses.shape[1]

    def objective(scores: Floats, _: Any) -> tuple[Floats, Floats]:
        weights = softmax(scores.reshape(len(x), k) + start)
        own = losses - np.sum(weights * losses, axis=1, keepdims=True)
        # The true second derivative may be negative. This is the most that a softmax has; and LightGBM, which counts
        # rows by it, is not led astray where a pool has no weight.
        return weights * own * counts[:, None], np.repeat(0.25 * counts[:, None], k, axis=1)

    rows = lightgbm.Dataset(x, np.zeros(len(x)), params={"verbosity": -1})
    parameters = {**PARAMETERS, "objective": objective, "num_class": k}
    return lightgbm.train(parameters, rows, num_boost_round=ROUNDS)


def weights(model: Booster, x: Floats, start: Floats) -> Floats:
    """Return the weights (n, k), rows summing to 1, that the trees give."""
    scores = model.predict(x, num_threads=1, raw_score=True)
    return softmax(np.asarray(scores, dtype=np.float64).reshape(start.shape) + start)


def dump(model: Booster) -> bytes:
    """Return the trees as text, from which `load` makes trees that give the same weights to the last bit."""
    return str(model.model_to_string()).encode()


def load(stored: bytes) -> Booster:
    """Return the trees that ``dump`` wrote."""
    return load_library().Booster(model_str=stored.decode())


def softmax(scores: Floats) -> Floats:
    """Return weights (n, k) from scores, of which one per row is finite at least."""
    votes = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: Floats = votes / votes.sum(axis=1, keepdims=True)
    return shares


def load_library() -> ModuleType:
    """Return LightGBM, loaded without what is not used here."""
    with absent("sklearn", "pandas", "matplotlib"):
        import lightgbm

    return lightgbm  # type: ignore[no-any-return]
