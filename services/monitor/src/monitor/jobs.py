"""What runs in a child process: scoring matured forecasts, served and issued."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cbi_common.core.horizon import Horizon
from cbi_common.core.regime import Regime
from cbi_common.events.base import LakeRef
from cbi_common.events.forecast import ForecastReady, LiveMembers
from cbi_common.events.manifest import RunManifest
from cbi_common.events.monitoring import ModelSlices, Slice, ValidationCompleted
from cbi_common.storage.lake import Lake
from cbi_common.storage.markets import market_of
from cbi_common.timeseries.calendar import session_date
from cbi_common.timeseries.dataset import Dataset, Ints
from cbi_common.timeseries.eras import Era, era_of
from cbi_common.timeseries.losses import naive_mae
from cbi_common.training.datasets import load_dataset
from cbi_common.training.predictions import Predictions
from monitor.domain.drivers import QUIET, largest_movers
from monitor.domain.rows import Rows
from monitor.domain.slices import MOVES, by_label, move_sizes, overall
from monitor.domain.track_record import Issue, matured
from monitor.regimes import regimes_of
from monitor.served import served_rows


def validate(arg: dict[str, Any]) -> dict[str, Any]:
    """Score the forecasts as served at past cutoffs, those of every model, and those that earlier runs issued.

    Parameters
    ----------
    arg : {"lake": URL, "forecast": data of `ForecastReady`, "issues": list of `Issue`, "key": lake key of the result}

    Returns
    -------
    dict
        ``walk_forward`` and ``issued``: data of `ValidationCompleted`; ``issued`` is None while none has matured.
    """
    lake, forecast = Lake(arg["lake"]), ForecastReady.model_validate(arg["forecast"])
    manifest = RunManifest.model_validate(lake.get_json(forecast.manifest))
    market = market_of(lake, manifest)
    panel = load_dataset(lake, manifest.datasets["panel"])
    labels = _Labels(panel, regimes_of(lake, forecast), market.eras, tuple(market.expected_signs))
    horizons = sorted(forecast.forecasts, key=lambda h: h.sessions)
    served = served_rows(lake, forecast)
    scored = {h: _scored(served[h], manifest, h) for h in horizons}
    walked = {h: labels.slices(scored[h], **_settings(panel, manifest, h)) for h in horizons}
    models = {h: _models(lake, forecast, scored[h], labels, _settings(panel, manifest, h), h) for h in horizons}
    issues = [Issue.model_validate(i) for i in arg["issues"]]
    past = {h: matured(issues, h, panel.sessions, panel.price) for h in horizons}
    # Runs may come daily: the smallest step assumes the most overlap.
    issued = {h: labels.slices(rows, horizon=h.sessions, step=1) for h, rows in past.items() if len(rows.y)}
    table = lake.put_json(f"{arg['key']}.models", ModelSlices(horizons=models).model_dump(mode="json"))
    result = {
        "walk_forward": _event(forecast, "walk_forward", walked, table),
        "issued": _event(forecast, "issued", issued, None),
    }
    lake.put_json(arg["key"], result)
    return result


def _event(
    forecast: ForecastReady, source: Any, horizons: dict[Horizon, tuple[Slice, ...]], models: LakeRef | None
) -> dict[str, Any] | None:
    if not horizons:
        return None
    return ValidationCompleted(
        market=forecast.market,
        run_id=forecast.run_id,
        as_of=forecast.as_of,
        source=source,
        horizons=horizons,
        models=models,
    ).model_dump(mode="json")


@dataclass(frozen=True)
class _Labels:
    """What a cutoff is called by: its regime, era and driver as they were known there."""

    panel: Dataset
    regimes: Mapping[int, str]
    eras: Sequence[Era]
    drivers: tuple[str, ...]

    @cached_property
    def _movers(self) -> dict[int, str | None]:
        series = dict(zip(self.panel.names, self.panel.features.T, strict=True))
        return dict(zip(self.panel.sessions.tolist(), largest_movers(series, self.drivers), strict=False))

    def slices(self, rows: Rows, **settings: Any) -> tuple[Slice, ...]:
        """Return the scores of all rows and of each part of them."""
        movers = [self._movers.get(int(s)) for s in rows.sessions]
        return (
            overall(rows, **settings),
            *self.regime_slices(rows, **settings),
            *by_label(rows, "era", self._era(rows.sessions), [era.name for era in self.eras], **settings),
            *by_label(rows, "move", move_sizes(rows.y), MOVES, **settings),
            *by_label(rows, "driver", movers, [*self.drivers, QUIET], **settings),
        )

    def regime_slices(self, rows: Rows, **settings: Any) -> list[Slice]:
        """Return the scores in each regime."""
        states = [self.regimes.get(int(s)) for s in rows.sessions]
        return by_label(rows, "regime", states, [str(r) for r in Regime], **settings)

    def _era(self, sessions: Ints) -> list[str | None]:
        days = np.array([session_date(int(s)) for s in sessions], dtype="datetime64[D]")
        return [self.eras[i].name if i >= 0 else None for i in era_of(days, self.eras)]


def _scored(rows: Rows, manifest: RunManifest, horizon: Horizon) -> Rows:
    window = manifest.windows[horizon]
    return rows.where(np.asarray((rows.sessions >= window.start) & (rows.sessions <= window.end)))


def _settings(panel: Dataset, manifest: RunManifest, horizon: Horizon) -> dict[str, Any]:
    before = panel.sessions <= manifest.windows[horizon].start
    return {
        "horizon": horizon.sessions,
        "step": manifest.cutoff_every,
        "naive_mae": naive_mae(panel.sessions[before], panel.price[before], horizon.sessions),
    }


def _models(
    lake: Lake, forecast: ForecastReady, scored: Rows, labels: _Labels, settings: dict[str, Any], horizon: Horizon
) -> dict[str, tuple[Slice, ...]]:
    members = LiveMembers.model_validate(lake.get_json(forecast.members)).horizons.get(horizon, {})
    found = {}
    for model_id, member in sorted(members.items()):
        rows = _of_model(Predictions.get(lake, member.predictions), scored)
        if len(rows.y):
            found[model_id] = (overall(rows, **settings), *labels.regime_slices(rows, **settings))
    return found


def _of_model(said: Predictions, scored: Rows) -> Rows:
    _, own, theirs = np.intersect1d(said.sessions, scored.sessions, assume_unique=True, return_indices=True)
    nothing = np.full(len(theirs), np.nan)
    rows = scored.where(np.isin(np.arange(len(scored.y)), theirs))
    return Rows(rows.sessions, rows.target_sessions, rows.price, said.y_hat[own], rows.y, nothing, nothing)
