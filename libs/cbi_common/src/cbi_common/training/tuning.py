"""The choice of a model's parameters on targets before 2020: what is scored later is never looked at."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np

from cbi_common.core.errors import DataError, JobError
from cbi_common.core.horizon import Horizon
from cbi_common.core.identity import digest
from cbi_common.events.manifest import Refit
from cbi_common.storage.lake import Lake
from cbi_common.timeseries.calendar import session_date, session_number
from cbi_common.timeseries.dataset import Dataset
from cbi_common.timeseries.folds import refit_grid
from cbi_common.training.fold_cache import FoldCache
from cbi_common.training.search import TPE, Search
from cbi_common.training.walk_forward import Recipe, Walk, walk_forward

UNTIL = date(2019, 12, 31)
"""No target after this day is looked at (DOMAIN section 6)."""

YEARS = 8
REFIT_SESSIONS = 252
CUTOFF_SESSIONS = 10
LEAST_CUTOFFS = 100


@dataclass(frozen=True)
class Tuned:
    """Parameters that were chosen, and every one that was tried.

    Attributes
    ----------
    params : mapping
    trials : parameters and loss of each trial, the catalogue's own first; a loss is the mean over the horizons of
        MAE / MAE of no-change, None where the fit failed
    """

    params: dict[str, Any]
    trials: tuple[dict[str, Any], ...]


def tune(
    lake: Lake,
    dataset: Dataset,
    recipe: Recipe,
    choices: Mapping[str, Sequence[Any]],
    trials: int,
    usable_from: Mapping[str, int] | None = None,
    search: Search = TPE,
) -> Tuned | None:
    """Try the catalogue's parameters and ``trials`` others, and return the best; None when there is too little data.

    Every trial is a walk-forward over the eight years before `UNTIL`, refitted once a year. Trials are drawn by
    ``search`` with the recipe's seed, so the same inputs choose the same; fits come from the fold cache, so a search
    that was killed goes on where it was.
    """
    past = dataset.until(session_number(UNTIL))
    cutoffs = _cutoffs(past)
    if len(cutoffs) < LEAST_CUTOFFS:
        return None
    rows = past.digests([int(past.sessions[-1])])[0]
    identity = [recipe.learner.name, list(recipe.horizons), dict(recipe.params), recipe.seed, dict(recipe.environment)]
    key = f"tuning/{digest(identity, rows, {k: list(v) for k, v in choices.items()}, trials, search.name)}"
    stored = lake.get_if_intact(key)
    if stored is not None:
        raw = json.loads(stored)
        return Tuned(raw["params"], tuple(raw["trials"]))
    refits = [
        Refit(date=session_date(s), session=s, model_ids=(), cause="tuning")
        for s in refit_grid(cutoffs[0], cutoffs[-1], REFIT_SESSIONS)
        if s > past.sessions[0]
    ]
    cache = FoldCache(lake)

    tried: list[dict[str, Any]] = []

    def attempt(chosen: dict[str, Any]) -> float | None:
        asked = replace(recipe, params={**recipe.params, **chosen})
        try:
            loss = _loss(past, walk_forward(past, refits, cutoffs, asked, cache, usable_from), recipe.horizons)
        except (DataError, JobError):
            loss = None
        tried.append({"params": chosen, "loss": loss})
        return loss

    attempt({})
    search.run(choices, trials, recipe.seed, attempt)
    best = min((t for t in tried if t["loss"] is not None), key=lambda t: t["loss"], default=tried[0])
    tuned = Tuned({**recipe.params, **best["params"]}, tuple(tried))
    lake.put_json(key, {"params": tuned.params, "trials": list(tuned.trials)})
    return tuned


def _loss(past: Dataset, walk: Walk, horizons: Sequence[Horizon]) -> float:
    """Return the mean over the horizons of MAE / MAE of no-change, on the targets that are known."""
    places = np.searchsorted(past.sessions, walk.sessions)
    ratios = []
    for i, horizon in enumerate(horizons):
        y = past.targets(horizon)[places]
        known = np.isfinite(y)
        ratios.append(np.abs(walk.y_hat[known, i] - y[known]).mean() / np.abs(y[known]).mean())
    return float(np.mean(ratios))


def _cutoffs(past: Dataset) -> list[int]:
    if not len(past.sessions):
        return []
    first = max(session_number(UNTIL) - YEARS * REFIT_SESSIONS, int(past.sessions[0]) + 4 * REFIT_SESSIONS)
    return [int(session) for session in past.sessions if session >= first and session % CUTOFF_SESSIONS == 0]
