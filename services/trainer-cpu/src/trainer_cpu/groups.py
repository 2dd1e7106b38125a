"""Scores of a run's models by group of cutoffs, from the stored predictions: nothing is forecast again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cbi_common.core.errors import IncompleteError
from cbi_common.core.horizon import Horizon
from cbi_common.events.manifest import RunManifest
from cbi_common.events.training import ModelTrained
from cbi_common.reporting.projection import Run
from cbi_common.reporting.report import Report
from cbi_common.reporting.tables import VOLATILITY, Table, columns, heading, percent
from cbi_common.storage.lake import Lake
from cbi_common.storage.markets import market_of
from cbi_common.storage.tables import get_table
from cbi_common.timeseries.breakdown import Scored, by_group, era_groups, move_groups, regime_groups
from cbi_common.timeseries.regimes import CLASSES, UNKNOWN
from cbi_common.timeseries.scoring import Score
from cbi_common.training.predictions import Predictions
from cbi_common.training.study import Study

Grouping = Literal["era", "regime", "move"]
Scores = dict[str, dict[str, Score]]
_Masks = Mapping[str, NDArray[np.bool_]]


def group_scores(lake: Lake, run: Run, horizon: Horizon, by: Grouping) -> Scores:
    """Return model id to group to score, over the scored window of one horizon.

    Parameters
    ----------
    lake : Lake
    run : Run
    horizon : Horizon
    by : {"era", "regime", "move"}
        Era of the cutoff (a list drawn up in hindsight), regime as the rules called it at the cutoff, size of the move
        that followed.

    Raises
    ------
    IncompleteError
        When the run has not come that far.
    """
    if run.export is None or run.export.data.manifest is None:
        raise IncompleteError("it has no manifest", where=f"run {run.correlation_id}", hint="`cbi status` says more")
    manifest = RunManifest.model_validate(lake.get_json(run.export.data.manifest))
    masks = _groups_of(lake, run, manifest, by)
    found = {
        trained.model_id: by_group(rows, masks(rows))
        for trained in _members(run, horizon)
        if len((rows := _scored(lake, trained, manifest)).sessions)
    }
    return dict(sorted(found.items()))


def unseen_scores(lake: Lake, run: Run, horizon: Horizon, by: Grouping) -> Scores:
    """Return model id to group to the score of a model that was trained without the group (profile full).

    Raises
    ------
    IncompleteError
        When the run held nothing out.
    """
    found: Scores = {}
    for trained in _members(run, horizon):
        if trained.study is not None:
            study = Study.model_validate(lake.get_json(trained.study))
            groups = study.eras if by == "era" else study.regimes
            scores = {name: by_horizon[horizon] for name, by_horizon in groups.items() if horizon in by_horizon}
            found[trained.model_id] = {name: Score(**metrics.model_dump()) for name, metrics in scores.items()}
    if not any(found.values()):
        hint = "profile full trains each model without each era and regime"
        raise IncompleteError("it held nothing out", where=f"run {run.correlation_id}", hint=hint)
    return dict(sorted(found.items()))


def group_table(report: Report, found: Scores, horizon: str, by: str) -> Table:
    """Return skill per model and group, best mean first, with the cutoffs of each group in the heading's note."""
    groups = list(dict.fromkeys(group for scores in found.values() for group in scores))
    most = {group: max(scores[group].n for scores in found.values() if group in scores) for group in groups}

    def order(model_id: str) -> tuple[float, str]:
        skills = [score.skill for score in found[model_id].values() if score.skill is not None]
        return (-sum(skills) / len(skills) if skills else float("inf"), model_id)

    def cell(score: Score | None) -> str:
        return "" if score is None else percent(score.skill, signed=True)

    return Table(
        title=f"Skill at {horizon} by {by} · {heading(report)}",
        columns=columns("<model", *groups),
        rows=tuple((m, *(cell(found[m].get(group)) for group in groups)) for m in sorted(found, key=order)),
        note=f"cutoffs: {', '.join(f'{group} {n}' for group, n in most.items())}",
    )


def as_data(found: Scores) -> dict[str, Any]:
    """Return the scores as plain data."""
    return {model: {group: asdict(score) for group, score in groups.items()} for model, groups in found.items()}


def _members(run: Run, horizon: Horizon) -> list[ModelTrained]:
    trained = [result for result in run.results.values() if isinstance(result, ModelTrained)]
    return [t for t in trained if t.horizon == horizon and t.family != VOLATILITY]


def _scored(lake: Lake, trained: ModelTrained, manifest: RunManifest) -> Scored:
    table, window = Predictions.get(lake, trained.predictions), manifest.windows[trained.horizon]
    rows = (table.sessions >= window.start) & (table.sessions <= window.end) & ~np.isnan(table.y)
    return Scored(
        dates=table.cutoffs[rows],
        sessions=table.sessions[rows],
        price=table.price[rows],
        y_hat=table.y_hat[rows],
        y=table.y[rows],
        horizon_sessions=trained.horizon.sessions,
        step=manifest.cutoff_every,
    )


def _groups_of(lake: Lake, run: Run, manifest: RunManifest, by: Grouping) -> Callable[[Scored], _Masks]:
    if by == "move":
        return lambda rows: move_groups(rows.y)
    if by == "era":
        eras = market_of(lake, manifest).eras
        return lambda rows: era_groups(rows.dates, eras)
    if run.regime is None:
        raise IncompleteError("it has no regime yet", where=f"run {run.correlation_id}", hint="`cbi status` says more")
    history = get_table(lake, run.regime.data.history)
    names = {str(regime): i for i, regime in enumerate(CLASSES)}
    labels = np.array([names.get(str(label), UNKNOWN) for label in history["label"].to_pylist()])
    sessions = history["session"].to_numpy()

    def masks(rows: Scored) -> _Masks:
        place = np.minimum(np.searchsorted(sessions, rows.sessions), len(sessions) - 1)
        known = sessions[place] == rows.sessions
        return regime_groups(np.where(known, labels[place], UNKNOWN), list(names))

    return masks
