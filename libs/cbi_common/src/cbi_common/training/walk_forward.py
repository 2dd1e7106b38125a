"""The walk-forward: fit on each refit date, forecast every cutoff that it serves, from what was known there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cbi_common.core.errors import DataError, JobError
from cbi_common.core.horizon import Horizon
from cbi_common.events.base import LakeRef
from cbi_common.events.manifest import Refit
from cbi_common.timeseries.dataset import Dataset, Floats, Ints
from cbi_common.timeseries.folds import serving_refit
from cbi_common.training.fold_cache import FoldCache, fold_key
from cbi_common.training.learner import Learner


@dataclass(frozen=True)
class Recipe:
    """How a model is made; with the training rows it decides the model.

    Attributes
    ----------
    weigh : function of the training rows to their weights
    environment : `Environment.identity`
    last_session : int or None
        Last session that is trained on: refits after it fit the same rows, and so fit once.
    """

    learner: Learner[Any]
    horizons: tuple[Horizon, ...]
    params: Mapping[str, Any]
    seed: int
    weigh: Callable[[Dataset], Floats]
    environment: Mapping[str, Any]
    last_session: int | None = None

    def trained_to(self, refit: int) -> int:
        """Return the last session that a refit learns from."""
        return refit if self.last_session is None else min(refit, self.last_session)


@dataclass(frozen=True)
class Walk:
    """Forecasts of a model, cutoff by cutoff.

    Attributes
    ----------
    sessions : (n,) int64
        Cutoffs that a refit serves and that the data hold.
    refit_sessions : (n,) int64
        The refit that served each.
    y_hat : (n, n_horizons) float64
        Log return over each horizon.
    refits, cached_folds : int
        Refits that serve a cutoff, and how many of them were not fitted again.
    fit_seconds : float
        CPU seconds spent fitting.
    folds : refit session to the model fitted there
        Those that serve a cutoff, ascending.
    """

    sessions: Ints
    refit_sessions: Ints
    y_hat: Floats
    refits: int
    cached_folds: int
    fit_seconds: float
    folds: Mapping[int, LakeRef | None]

    @property
    def latest(self) -> LakeRef | None:
        """Model of the last refit."""
        return self.folds[max(self.folds)]


@dataclass(frozen=True)
class _Fold:
    refit: Refit
    data: Dataset
    """All rows, with the columns that the refit may use."""
    cutoffs: list[int]
    rows: str
    views: list[str]


def walk_forward(
    dataset: Dataset,
    refits: Sequence[Refit],
    cutoffs: Sequence[int],
    recipe: Recipe,
    cache: FoldCache,
    usable_from: Mapping[str, int] | None = None,
) -> Walk:
    """Walk one model through its refits.

    Parameters
    ----------
    dataset : Dataset
    refits : sequence of Refit
        The model's refits, ascending; of two on one session the later counts.
    cutoffs : ascending sequence of int
        Sessions to forecast from.
    recipe : Recipe
    cache : FoldCache
    usable_from : column to the first session at which a refit may use it
        A column that is not named, or not yet usable, is seen neither by the fit nor by the forecasts that it serves.
        None: every column may be used.

    Raises
    ------
    DataError
        When no refit serves a cutoff, or the rows cannot carry a fit.
    JobError
        When a fit fails or a forecast is not finite.
    """
    served: list[int] = []
    refit_sessions: list[int] = []
    parts: list[Floats] = []
    folds: dict[int, LakeRef | None] = {}
    cached, seconds = 0, 0.0
    for fold in _folds(dataset, refits, cutoffs, recipe, usable_from):
        train = fold.data.until(recipe.trained_to(fold.refit.session))
        weights = recipe.weigh(train)
        key = fold_key(
            recipe.environment, recipe.learner.name, recipe.horizons, recipe.params, recipe.seed, fold.rows, weights
        )
        artifact = cache.artifact(key)
        if artifact is None:
            started = _cpu_seconds()
            artifact = recipe.learner.fit(train, recipe.horizons, recipe.params, weights, recipe.seed)
            seconds += _cpu_seconds() - started
            cache.keep_artifact(key, artifact)
        else:
            cached += 1
        folds[fold.refit.session] = cache.reference(key)
        parts.append(_forecasts(fold, key, artifact, recipe, cache))
        served += fold.cutoffs
        refit_sessions += [fold.refit.session] * len(fold.cutoffs)
    if not parts:
        raise DataError("no refit serves a cutoff", hint="the history is too short for this model")
    return Walk(
        sessions=np.array(served, dtype=np.int64),
        refit_sessions=np.array(refit_sessions, dtype=np.int64),
        y_hat=np.vstack(parts),
        refits=len(parts),
        cached_folds=cached,
        fit_seconds=seconds,
        folds=folds,
    )


def withheld(names: Sequence[str], usable_from: Mapping[str, int] | None, session: int) -> frozenset[str]:
    """Return the columns that a refit at ``session`` must do without.

    >>> sorted(withheld(("a", "b", "c"), {"a": 10, "b": 20}, 15))
    ['b', 'c']
    """
    if usable_from is None:
        return frozenset()
    return frozenset(name for name in names if name not in usable_from or usable_from[name] > session)


def _cpu_seconds() -> float:
    """CPU seconds of this process and of the programs that it ran: Prophet fits in one."""
    return sum(os.times()[:4])


def _folds(
    dataset: Dataset,
    refits: Sequence[Refit],
    cutoffs: Sequence[int],
    recipe: Recipe,
    usable_from: Mapping[str, int] | None,
) -> Iterator[_Fold]:
    by_session = {refit.session: refit for refit in refits}
    sessions = sorted(by_session)
    present = set(dataset.sessions.tolist())
    groups: dict[int, list[int]] = {}
    for cutoff in cutoffs:
        session = serving_refit(sessions, cutoff)
        if session is not None and cutoff in present:
            groups.setdefault(session, []).append(cutoff)
    # Refits with the same columns share one pass of hashing over the rows.
    for session, (data, digests) in _hashed(dataset, groups, recipe, usable_from).items():
        served, rows = groups[session], digests[recipe.trained_to(session)]
        yield _Fold(by_session[session], data, served, rows, [digests[c] for c in served])


def _hashed(
    dataset: Dataset, groups: Mapping[int, list[int]], recipe: Recipe, usable_from: Mapping[str, int] | None
) -> dict[int, tuple[Dataset, dict[int, str]]]:
    by_columns: dict[frozenset[str], list[int]] = {}
    for session in groups:
        by_columns.setdefault(withheld(dataset.names, usable_from, session), []).append(session)
    found: dict[int, tuple[Dataset, dict[int, str]]] = {}
    for dropped, sessions in by_columns.items():
        data = dataset.without(dropped)
        ends = {recipe.trained_to(session) for session in sessions}
        points = sorted({*ends, *(cutoff for session in sessions for cutoff in groups[session])})
        digests = dict(zip(points, data.digests(points), strict=True))
        found |= dict.fromkeys(sessions, (data, digests))
    return dict(sorted(found.items()))


def _forecasts(fold: _Fold, key: str, artifact: bytes, recipe: Recipe, cache: FoldCache) -> Floats:
    known = cache.segment(key, fold.views)
    if known is not None:
        return known
    model = recipe.learner.load(artifact)
    y_hat = np.vstack([recipe.learner.forecast(model, fold.data.until(cutoff)) for cutoff in fold.cutoffs])
    if not np.isfinite(y_hat).all():
        bad = fold.cutoffs[int(np.argmin(np.isfinite(y_hat).all(axis=1)))]
        raise JobError(f"the forecast at session {bad} is not a number", where=recipe.learner.name)
    cache.keep_segment(key, fold.views, y_hat)
    return y_hat
