"""What the profile full finds out about a model beyond its track record: parameters, and what it knows unseen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from pydantic import BaseModel, ConfigDict

from cbi_common.catalogue.spec import ModelSpec, ProfileSpec
from cbi_common.core.horizon import Horizon
from cbi_common.events.training import Metrics
from cbi_common.markets.spec import Market
from cbi_common.storage.lake import Lake
from cbi_common.timeseries.breakdown import era_groups, regime_groups
from cbi_common.timeseries.dataset import Dataset
from cbi_common.timeseries.regimes import CLASSES
from cbi_common.timeseries.scoring import Score
from cbi_common.training.fold_cache import FoldCache
from cbi_common.training.holdout import held_out
from cbi_common.training.search import TPE, Search
from cbi_common.training.selection import regime_labels
from cbi_common.training.tuning import tune
from cbi_common.training.walk_forward import Recipe

Scores = dict[str, dict[Horizon, Metrics]]


class Study(BaseModel):
    """As it lies in the lake.

    Attributes
    ----------
    params : what the model was fitted with
    trials : parameters that were tried on targets before 2020 and their losses, the catalogue's own first
    eras, regimes : group to horizon to score of a model that had not seen the group
    left_out : group to why nothing is said of it
    """

    model_config = ConfigDict(frozen=True)

    params: dict[str, Any]
    trials: tuple[dict[str, Any], ...] = ()
    eras: Scores = {}
    regimes: Scores = {}
    left_out: dict[str, str] = {}


def best_recipe(
    lake: Lake,
    dataset: Dataset,
    recipe: Recipe,
    spec: ModelSpec,
    profile: ProfileSpec,
    usable_from: Mapping[str, int] | None,
    search: Search = TPE,
) -> tuple[Recipe, tuple[dict[str, Any], ...]]:
    """Return the recipe with the parameters that did best before 2020, and what was tried; itself without a search."""
    if not spec.tune or not profile.trials:
        return recipe, ()
    found = tune(lake, dataset, recipe, spec.tune, profile.trials, usable_from, search)
    return (recipe, ()) if found is None else (replace(recipe, params=found.params), found.trials)


def study_of(
    lake: Lake,
    dataset: Dataset,
    recipe: Recipe,
    spec: ModelSpec,
    profile: ProfileSpec,
    market: Market,
    trials: tuple[dict[str, Any], ...],
    usable_from: Mapping[str, int] | None,
) -> Study | None:
    """Return what there is to say of a model beyond its track record; None in a profile that asks for nothing."""
    chosen = {name: value for name, value in recipe.params.items() if name != "signs"}
    if not (profile.hold_outs and spec.hold_out and spec.quantity == "return") or spec.eras or spec.regime:
        return Study(params=chosen, trials=trials) if trials else None
    free, cache = replace(recipe, last_session=None), FoldCache(lake)
    eras = held_out(dataset, era_groups(dataset.dates, market.eras), free, cache, usable_from)
    names = [str(regime) for regime in CLASSES]
    regimes = held_out(dataset, regime_groups(regime_labels(dataset, market), names), free, cache, usable_from)
    return Study(
        params=chosen,
        trials=trials,
        eras=_told(eras.scores),
        regimes=_told(regimes.scores),
        left_out=eras.left_out | regimes.left_out,
    )


def _told(scores: Mapping[str, Mapping[Horizon, Score]]) -> Scores:
    return {group: {h: Metrics(**asdict(s)) for h, s in found.items()} for group, found in scores.items()}
