"""What a model is worth in a period or a regime of which it has seen nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cbi_common.core.errors import DataError, JobError
from cbi_common.core.horizon import Horizon
from cbi_common.timeseries.dataset import Dataset, Floats
from cbi_common.timeseries.scoring import Score, score
from cbi_common.training.fold_cache import FoldCache, fold_key
from cbi_common.training.walk_forward import Recipe, withheld

STEP = 5
"""Sessions from one forecast to the next."""

LEAST = 24
"""Forecasts without which nothing is said."""


@dataclass(frozen=True)
class HeldOut:
    """What hold-outs found.

    Attributes
    ----------
    scores : group to horizon to score
    left_out : group to the reason why nothing is said of it
    """

    scores: dict[str, dict[Horizon, Score]]
    left_out: dict[str, str]


def held_out(
    dataset: Dataset,
    groups: Mapping[str, NDArray[np.bool_]],
    recipe: Recipe,
    cache: FoldCache,
    usable_from: Mapping[str, int] | None = None,
) -> HeldOut:
    """Train on all rows outside each group, the later ones too, and score the forecasts made inside it.

    This tells whether what was learned holds elsewhere; it is no track record, because the rows after a group were not
    known in it (López de Prado, 2018, chapter 7). Rows within the longest horizon of a group on either side teach
    nothing: their outcomes overlap with those inside.

    Parameters
    ----------
    dataset : Dataset
    groups : name to mask (n,)
    recipe : Recipe
        Its learner must learn from each row on its own.
    cache : FoldCache
    usable_from : column to the first session at which a refit may use it
    """
    data = dataset.without(withheld(dataset.names, usable_from, int(dataset.sessions[-1])))
    longest = max(horizon.sessions for horizon in recipe.horizons)
    weights = recipe.weigh(data)
    found = HeldOut({}, {})
    for name, inside in groups.items():
        cutoffs = np.flatnonzero(inside & (data.sessions % STEP == 0))
        kept = np.where(_near(data.sessions, inside, longest), 0.0, weights)
        if len(cutoffs) < LEAST or not kept.any():
            found.left_out[name] = f"only {len(cutoffs)} cutoffs" if kept.any() else "no row is left to learn from"
            continue
        try:
            forecasts = _forecasts(data, kept / kept[kept > 0].mean(), cutoffs, recipe, cache)
        except (DataError, JobError) as error:
            found.left_out[name] = f"without it {error.what}"
            continue
        found.scores[name] = {h: _score(data, cutoffs, forecasts[:, i], h) for i, h in enumerate(recipe.horizons)}
    return found


def _near(sessions: NDArray[np.int64], inside: NDArray[np.bool_], distance: int) -> NDArray[np.bool_]:
    """Return which rows lie within ``distance`` sessions of a row inside."""
    held = sessions[inside]
    before = np.searchsorted(held, sessions - distance)
    after = np.searchsorted(held, sessions + distance, side="right")
    return np.asarray(after > before)


def _forecasts(data: Dataset, weights: Floats, cutoffs: NDArray[np.intp], recipe: Recipe, cache: FoldCache) -> Floats:
    rows = data.digests([int(data.sessions[-1])])[0]
    key = fold_key(recipe.environment, recipe.learner.name, recipe.horizons, recipe.params, recipe.seed, rows, weights)
    artifact = cache.artifact(key)
    if artifact is None:
        artifact = recipe.learner.fit(data, recipe.horizons, recipe.params, weights, recipe.seed)
        cache.keep_artifact(key, artifact)
    model = recipe.learner.load(artifact)
    return np.vstack([recipe.learner.forecast(model, data.until(int(data.sessions[row]))) for row in cutoffs])


def _score(data: Dataset, cutoffs: NDArray[np.intp], y_hat: Floats, horizon: Horizon) -> Score:
    sessions = data.sessions[cutoffs]
    return score(
        sessions,
        sessions + horizon.sessions,
        data.price[cutoffs],
        y_hat,
        data.targets(horizon)[cutoffs],
        horizon_sessions=horizon.sessions,
        step=STEP,
    )
