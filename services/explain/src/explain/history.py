"""Reads from the lake what past forecasts were made of: each member's model and weight of the time."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from cbi_common.core.horizon import Horizon
from cbi_common.events.base import LakeRef
from cbi_common.events.forecast import ForecastReady, LiveMember
from cbi_common.events.manifest import RunManifest
from cbi_common.storage.lake import Lake
from cbi_common.storage.tables import get_table
from cbi_common.timeseries.dataset import Dataset, Floats, Ints
from cbi_common.training.predictions import Predictions
from explain.domain.attribution import EXPECTATION, PRICE_HISTORY, UNGROUPED, Source
from explain.domain.past import WHOLE_NETS, Past
from explain.domain.row import Rows

EVERY = 4
"""Of the scored cutoffs every fourth is looked at: they are a week apart, and outcomes are not needed."""

Additive = Mapping[str, Callable[[bytes, Rows], tuple[list[str], Floats, Floats]]]


class Histories:
    """Past attributions, horizon by horizon.

    Parameters
    ----------
    lake : Lake
    manifest : RunManifest
    forecast : ForecastReady
    additive : learner to what splits its forecasts
    group_of : feature to driver group
    dataset : reads a dataset by name
    """

    def __init__(
        self,
        lake: Lake,
        manifest: RunManifest,
        forecast: ForecastReady,
        additive: Additive,
        group_of: Mapping[str, str],
        dataset: Callable[[str], Dataset],
    ) -> None:
        self._lake, self._manifest, self._additive, self._group_of = lake, manifest, additive, group_of
        self._dataset = dataset
        served = get_table(lake, forecast.served)
        self._served = {name: served[name].to_numpy() for name in served.column_names if name not in ("cutoff",)}

    def of(self, horizon: Horizon, members: Mapping[str, LiveMember]) -> tuple[Ints, Past] | None:
        """Return the cutoffs and what their forecasts were made of.

        None where a member's models of the time are not known.
        """
        rows = self._rows(horizon)
        sessions = self._served["session"][rows]
        found: dict[Source, Floats] = {}
        for name, member in sorted(members.items()):
            weights = self._served[f"w_{name}"][rows] if f"w_{name}" in self._served else np.zeros(len(rows))
            if member.learner == "no_change" or not weights.any():
                continue
            shares = self._shares(member, sessions, weights > 0)
            if shares is None:
                return None
            for source, log_returns in shares.items():
                found[source] = found.get(source, np.zeros(len(rows))) + weights * log_returns
        sources = tuple(sorted(found))
        columns = np.array([found[source] for source in sources]).reshape(len(sources), len(rows)).T
        return sessions, Past(self._served["y_hat"][rows], sources, columns)

    def _rows(self, horizon: Horizon) -> Ints:
        window, sessions = self._manifest.windows[horizon], self._served["session"]
        inside = (sessions >= window.start) & (self._served["horizon"] == str(horizon))
        # On the grid, so that a day more moves none of them.
        grid = sessions % (EVERY * self._manifest.cutoff_every) == 0
        return np.flatnonzero(inside & grid & np.isfinite(self._served["y_hat"]))

    def _shares(self, member: LiveMember, sessions: Ints, heard: NDArray[np.bool_]) -> dict[Source, Floats] | None:
        table = Predictions.get(self._lake, member.predictions)
        place = {int(session): row for row, session in enumerate(table.sessions)}
        wanted = [i for i in np.flatnonzero(heard) if int(sessions[i]) in place]
        at = np.array([place[int(sessions[i])] for i in wanted], dtype=np.int64)
        if member.learner not in self._additive:
            source = (PRICE_HISTORY if member.family == "statistical" else WHOLE_NETS,) * 2
            whole = np.zeros(len(sessions))
            whole[wanted] = table.y_hat[at]
            return {source: whole}
        if member.folds is None:
            return None
        folds = {int(s): LakeRef.model_validate(ref) for s, ref in self._lake.get_json(member.folds).items()}
        found: dict[Source, Floats] = {}
        known = self._dataset(member.dataset)
        for refit in np.unique(table.refit_sessions[at]):
            own = [i for i, row in zip(wanted, at, strict=True) if table.refit_sessions[row] == refit]
            rows = Rows.at(known, sessions[own])
            names, shares, expected = self._additive[member.learner](self._lake.get(folds[int(refit)]), rows)
            sources = [(self._group_of.get(name, UNGROUPED), name) for name in names]
            for source, column in zip([*sources, (EXPECTATION, EXPECTATION)], [*shares.T, expected], strict=True):
                found.setdefault(source, np.zeros(len(sessions)))[own] += column
        return found
