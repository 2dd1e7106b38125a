"""What runs in a child process: the members of a run become its forecast."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from cbi_common.catalogue.spec import load_catalogue
from cbi_common.core.errors import DataError
from cbi_common.core.horizon import Horizon
from cbi_common.events.base import LakeRef
from cbi_common.events.forecast import ForecastReady, HorizonForecast, LiveMember, LiveMembers, VolatilityScore
from cbi_common.events.manifest import RunManifest
from cbi_common.events.regime import RegimeDetected
from cbi_common.events.training import ModelTrained
from cbi_common.storage.lake import Lake
from cbi_common.storage.tables import put_table
from cbi_common.timeseries.calendar import session_date
from cbi_common.timeseries.dataset import Dataset
from cbi_common.timeseries.volatility import ewma_variance
from cbi_common.training.datasets import load_dataset
from cbi_common.training.predictions import Predictions
from ensemble.domain.report import Window, forecast, volatility_scores
from ensemble.domain.scrutiny import repeated, suspects
from ensemble.domain.serve import MemberForecasts, Served, serve

VOLATILITY = "volatility"
"""Family of the models that forecast how much the price will move, and not where to."""


def combine(arg: dict[str, Any]) -> dict[str, Any]:
    """Combine the members of a run, horizon by horizon.

    Parameters
    ----------
    arg : dict
        ``lake`` (URL), ``manifest`` (LakeRef), ``regime`` (data of `RegimeDetected`), ``trained`` (data of every
        `ModelTrained`), ``failed`` (names of the other members) and ``key`` (lake key of the result).

    Returns
    -------
    dict
        Data of `ForecastReady`, as stored under ``key``.

    Raises
    ------
    DataError
        When the panel does not reach as_of.
    """
    lake, reference = Lake(arg["lake"]), LakeRef.model_validate(arg["manifest"])
    manifest = RunManifest.model_validate(lake.get_json(reference))
    regime = RegimeDetected.model_validate(arg["regime"])
    everything = [ModelTrained.model_validate(t) for t in arg["trained"]]
    trained = [t for t in everything if t.family != VOLATILITY]
    panel = _panel(lake, manifest)
    served = _served(lake, manifest, panel, trained)
    found: dict[Horizon, HorizonForecast] = {}
    missing: dict[Horizon, str] = {}
    alike: dict[Horizon, tuple[tuple[str, ...], ...]] = {}
    volatility = [s for t in sorted(everything, key=lambda t: t.model_id) if (s := _volatility_score(t)) is not None]
    for horizon, rows in served.items():
        window, target_date = _window(manifest, horizon), session_date(int(rows.target_sessions[-1]))
        result = forecast(rows, panel, horizon, window, regime=regime.state, target_date=target_date)
        if isinstance(result, str):
            missing[horizon] = result
            continue
        found[horizon] = result
        alike[horizon] = repeated(rows, window)
        volatility += volatility_scores(rows, panel, horizon, window)
    data = ForecastReady(
        market=manifest.market,
        run_id=manifest.run_id,
        as_of=manifest.as_of,
        simulated=manifest.simulated,
        provisional=False,
        manifest=reference,
        forecasts=found,
        missing=missing,
        missing_members=tuple(sorted(arg["failed"])),
        served=put_table(lake, f"{arg['key']}.served", _table(served)),
        members=lake.put_json(f"{arg['key']}.members", _live(served, trained, regime).model_dump(mode="json")),
        volatility=tuple(volatility),
        suspect={} if manifest.simulated else suspects(trained, {h: f.metrics for h, f in found.items()}),
        duplicates={horizon: groups for horizon, groups in alike.items() if groups},
    ).model_dump(mode="json")
    lake.put_json(arg["key"], data)
    return data


def _volatility_score(t: ModelTrained) -> VolatilityScore | None:
    if t.metrics.qlike is None or t.metrics.volatility_mae is None:
        return None
    return VolatilityScore(model_id=t.model_id, horizon=t.horizon, qlike=t.metrics.qlike, mae=t.metrics.volatility_mae)


def _panel(lake: Lake, manifest: RunManifest) -> Dataset:
    panel = load_dataset(lake, manifest.datasets["panel"]).until(manifest.as_of_session)
    if not len(panel.sessions) or panel.sessions[-1] != manifest.as_of_session:
        raise DataError(f"the panel has no row at {manifest.as_of}", where="ensemble", hint="export the data again")
    return panel


def _served(lake: Lake, manifest: RunManifest, panel: Dataset, trained: list[ModelTrained]) -> dict[Horizon, Served]:
    variance = ewma_variance(panel.sessions, panel.price)
    return {
        horizon: serve(
            panel,
            variance,
            {t.model_id: _forecasts(lake, t) for t in trained if t.horizon == horizon},
            horizon=horizon.sessions,
            cutoffs=manifest.cutoffs(horizon),
            cutoff_every=manifest.cutoff_every,
        )
        for horizon in sorted(manifest.windows, key=lambda h: h.sessions)
    }


def _forecasts(lake: Lake, trained: ModelTrained) -> MemberForecasts:
    table = Predictions.get(lake, trained.predictions)
    return MemberForecasts(table.sessions, table.y_hat)


def _window(manifest: RunManifest, horizon: Horizon) -> Window:
    scored = manifest.windows[horizon]
    refit_sessions = load_catalogue().profiles[manifest.profile].refit_sessions
    return Window(scored.start, scored.end, manifest.cutoff_every, refit_sessions)


def _live(served: dict[Horizon, Served], trained: list[ModelTrained], regime: RegimeDetected) -> LiveMembers:
    horizons: dict[Horizon, dict[str, LiveMember]] = {horizon: {} for horizon in served}
    for t in sorted(trained, key=lambda t: t.model_id):
        rows = served[t.horizon]
        column = rows.members.index(t.model_id)
        y_hat = float(rows.forecasts[-1, column])
        horizons[t.horizon][t.model_id] = LiveMember(
            weight=float(rows.weights[-1, column]),
            y_hat=None if np.isnan(y_hat) else y_hat,
            family=t.family,
            learner=load_catalogue().model(t.model_id).learner,
            dataset=t.dataset,
            predictions=t.predictions,
            artifact=t.artifact,
            metrics=t.metrics,
        )
    return LiveMembers(horizons=horizons, regime=regime)


def _table(served: dict[Horizon, Served]) -> pa.Table:
    members = sorted({name for rows in served.values() for name in rows.members})
    return pa.concat_tables([_horizon_table(horizon, rows, members) for horizon, rows in served.items()])


def _horizon_table(horizon: Horizon, rows: Served, members: list[str]) -> pa.Table:
    weight = dict(zip(rows.members, rows.weights.T, strict=True))
    nothing = np.zeros(len(rows.sessions))
    numbers = {
        "price": rows.price,
        "y_hat": rows.y_hat,
        "y": rows.y,
        "lower": rows.price * np.exp(rows.band.lower),
        "upper": rows.price * np.exp(rows.band.upper),
        "sd": rows.sd,
        **{f"w_{name}": weight.get(name, nothing) for name in members},
    }
    return pa.table(
        {
            "horizon": pa.array([str(horizon)] * len(rows.sessions), pa.string()),
            "session": pa.array(rows.sessions, pa.int64()),
            "cutoff": pa.array(rows.dates, pa.date32()),
            "target_session": pa.array(rows.target_sessions, pa.int64()),
            **{name: pa.array(values, pa.float64()) for name, values in numbers.items()},
            "n_matured": pa.array(rows.matured, pa.int64()),
        }
    )
