"""A second look at the members: whose scores cannot be believed, and who repeats another."""

from __future__ import annotations

from collections.abc import Mapping

from cbi_common.core.horizon import Horizon
from cbi_common.events.training import Metrics, ModelTrained
from cbi_common.timeseries.plausibility import too_good
from cbi_common.timeseries.redundancy import duplicates
from cbi_common.timeseries.scoring import Score
from ensemble.domain.report import Window, scored
from ensemble.domain.serve import HorizonServed

ENSEMBLE = "ensemble"
"""What the ensemble itself is called among its members."""


def suspects(members: list[ModelTrained], ensemble: Mapping[Horizon, Metrics]) -> dict[str, tuple[str, ...]]:
    """Return the models, and the ensemble, whose scores are too good to be believed, each with the reasons."""
    scores: dict[str, dict[Horizon, Score]] = {ENSEMBLE: {h: _score(metrics) for h, metrics in ensemble.items()}}
    for member in members:
        scores.setdefault(member.model_id, {})[member.horizon] = _score(member.metrics)
    found = {name: tuple(too_good(by_horizon)) for name, by_horizon in sorted(scores.items())}
    return {name: reasons for name, reasons in found.items() if reasons}


def repeated(served: HorizonServed, window: Window) -> tuple[tuple[str, ...], ...]:
    """Return the groups of members whose errors over the scored cutoffs are one."""
    rows = scored(served, window)
    errors = served.forecasts[rows] - served.history.y[rows, None]
    return tuple(tuple(served.members[i] for i in group) for group in duplicates(errors))


def _score(metrics: Metrics) -> Score:
    return Score(**metrics.model_dump())
