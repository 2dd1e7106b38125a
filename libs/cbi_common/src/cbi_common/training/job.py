"""What a trainer's child process does: one job, from keys to keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cbi_common.catalogue.spec import ModelSpec, Quantity, load_catalogue
from cbi_common.core.errors import DataError, JobError
from cbi_common.core.horizon import Horizon
from cbi_common.core.identity import digest
from cbi_common.events.base import LakeRef
from cbi_common.events.manifest import RunManifest
from cbi_common.events.training import Job, ModelTrained
from cbi_common.markets.spec import Market
from cbi_common.storage.lake import Lake
from cbi_common.storage.markets import market_of
from cbi_common.timeseries.dataset import Dataset, Floats
from cbi_common.timeseries.volatility import realised_variance
from cbi_common.training.datasets import load_dataset
from cbi_common.training.environment import Environment
from cbi_common.training.fold_cache import FoldCache
from cbi_common.training.learner import Learner
from cbi_common.training.measures import measure
from cbi_common.training.predictions import Predictions
from cbi_common.training.search import TPE, Search
from cbi_common.training.selection import last_session, visible, weigher
from cbi_common.training.study import best_recipe, study_of
from cbi_common.training.walk_forward import Recipe, Walk, walk_forward


def train(
    arg: Mapping[str, Any], learners: Sequence[Learner[Any]], environment: Environment, search: Search = TPE
) -> list[ModelTrained]:
    """Walk one model forward and store its predictions.

    Parameters
    ----------
    arg : {"lake": URL, "manifest": LakeRef as JSON, "job": Job as JSON, "key": lake key of the job's result}
    learners : what this trainer can fit
    environment : where it fits
    search : draws the parameters that a profile with trials tries

    Returns
    -------
    list of ModelTrained
        One per horizon, without the peak memory, which only the parent can measure. The CPU seconds of a fit that
        serves several horizons are shared out equally.

    Raises
    ------
    DataError
        When the manifest lacks the dataset or the data cannot carry a fit.
    JobError
        When a fit fails.
    """
    lake = Lake(arg["lake"])
    manifest = RunManifest.model_validate(lake.get_json(LakeRef.model_validate(arg["manifest"])))
    job = Job.model_validate(arg["job"])
    catalogue = load_catalogue()
    spec = catalogue.model(job.model_id)
    if spec.dataset not in manifest.datasets:
        raise DataError(f"the export has no dataset {spec.dataset!r}", where=job.model_id, hint="export it")
    dataset = load_dataset(lake, manifest.datasets[spec.dataset]).until(manifest.as_of_session)
    market = market_of(lake, manifest)
    dataset = visible(dataset, spec, market, job.horizons)
    recipe = Recipe(
        learner=_learner(learners, spec),
        horizons=job.horizons,
        params=_params(spec, market),
        seed=spec.seed,
        weigh=weigher(spec, market),
        environment=environment.identity(),
        last_session=last_session(spec, market),
    )
    cutoffs = sorted({session for horizon in job.horizons for session in manifest.cutoffs(horizon, long=spec.long)})
    usable = manifest.usable_from.get(spec.dataset)
    profile = catalogue.profiles[manifest.profile]
    recipe, trials = best_recipe(lake, dataset, recipe, spec, profile, usable, search)
    walk = walk_forward(dataset, manifest.refits_of(job.model_id), cutoffs, recipe, FoldCache(lake), usable)
    study = study_of(lake, dataset, recipe, spec, profile, market, trials, usable)
    kept = None if study is None else lake.put_json(f"study/{digest(arg['key'])}", study.model_dump(mode="json"))
    folds = lake.put_json(f"folds/{digest(arg['key'])}", _folds(walk))
    predicted = [
        _predictions(dataset, walk, i, spec, h, manifest.cutoffs(h, long=spec.long)) for i, h in enumerate(job.horizons)
    ]
    return [
        ModelTrained(
            market=manifest.market,
            run_id=manifest.run_id,
            model_id=spec.id,
            family=spec.family,
            horizon=predictions.horizon,
            device=environment.device,
            dataset=spec.dataset,
            status="cached" if walk.cached_folds == walk.refits else "trained",
            predictions=predictions.put(lake, f"predictions/{digest(arg['key'], predictions.horizon)}"),
            artifact=walk.latest,
            folds=folds,
            n_cutoffs=len(predictions.sessions),
            refits=walk.refits,
            cached_folds=walk.cached_folds,
            fit_seconds=walk.fit_seconds / len(job.horizons),
            peak_mb=None,
            metrics=measure(dataset, predictions, manifest, spec.quantity),
            study=kept,
        )
        for predictions in predicted
    ]


def _folds(walk: Walk) -> dict[str, Any]:
    return {str(session): ref.model_dump(mode="json") for session, ref in walk.folds.items() if ref is not None}


def _learner(learners: Sequence[Learner[Any]], spec: ModelSpec) -> Learner[Any]:
    for learner in learners:
        if learner.name == spec.learner:
            return learner
    raise JobError(f"no learner {spec.learner!r} on this device", where=spec.id, hint="correct the catalogue")


def _params(spec: ModelSpec, market: Market) -> Mapping[str, Any]:
    if not spec.monotone:
        return spec.params
    signs = {f.name: sign for series, sign in market.expected_signs.items() if sign for f in market.drivers_of(series)}
    return spec.params | {"signs": signs}


def _predictions(
    dataset: Dataset,
    walk: Walk,
    column: int,
    spec: ModelSpec,
    horizon: Horizon,
    cutoffs: Sequence[int],
) -> Predictions:
    own = np.isin(walk.sessions, cutoffs)
    rows = np.searchsorted(dataset.sessions, walk.sessions[own])
    if not own.any():
        raise DataError(f"no cutoff at {horizon} is served", where=spec.id, hint="the history is too short")
    return Predictions(
        model_id=spec.id,
        horizon=horizon,
        cutoffs=dataset.dates[rows],
        sessions=walk.sessions[own],
        refit_sessions=walk.refit_sessions[own],
        price=dataset.price[rows],
        y_hat=walk.y_hat[own, column],
        y=_outcomes(dataset, horizon, spec.quantity)[rows],
    )


def _outcomes(dataset: Dataset, horizon: Horizon, quantity: Quantity) -> Floats:
    if quantity == "return":
        return dataset.targets(horizon)
    return np.sqrt(realised_variance(dataset.sessions, dataset.price, horizon.sessions))
