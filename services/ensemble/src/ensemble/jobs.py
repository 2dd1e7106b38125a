"""What runs in a child process: the members of a run become its forecast."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from cbi_common.catalogue.spec import load_catalogue
from cbi_common.core.errors import DataError
from cbi_common.core.horizon import Horizon
from cbi_common.core.identity import digest, sha256_hex
from cbi_common.core.regime import Regime
from cbi_common.events.base import LakeRef
from cbi_common.events.forecast import ForecastReady, HorizonForecast, LiveMember, LiveMembers, VolatilityScore
from cbi_common.events.manifest import RunManifest
from cbi_common.events.regime import RegimeDetected
from cbi_common.events.training import ModelTrained
from cbi_common.storage.lake import Lake
from cbi_common.storage.markets import market_of
from cbi_common.storage.tables import get_table, put_table
from cbi_common.timeseries.calendar import session_date
from cbi_common.timeseries.dataset import Dataset, Floats, Ints
from cbi_common.timeseries.regimes import CLASSES, UNKNOWN, rule_labels
from cbi_common.training.datasets import load_dataset
from cbi_common.training.predictions import Predictions
from ensemble.adapters import lightgbm_weights
from ensemble.domain.report import Window, forecast, scored, volatility_scores
from ensemble.domain.scrutiny import repeated, suspects
from ensemble.domain.serve import EWMA, History, HorizonServed, MemberForecasts, history, serve
from ensemble.domain.superiority import load_library, superiority
from ensemble.environment import ENVIRONMENT
from ensemble.meta_learner import meta_weights

if TYPE_CHECKING:
    from lightgbm import Booster

VOLATILITY = "volatility"
"""Family of the models that forecast how much the price will move, and not where to."""


def warm() -> None:
    """Load what every job needs."""
    lightgbm_weights.load_library()
    import_module("scipy.stats")
    load_library()


def combine(arg: dict[str, Any]) -> dict[str, Any]:
    """Combine the members of a run, horizon by horizon.

    Parameters
    ----------
    arg : dict
        ``lake`` (URL), ``manifest`` (LakeRef), ``regime`` (data of `RegimeDetected`, or None), ``trained`` (data of
        every `ModelTrained`), ``failed`` and ``awaited`` (names of the other members) and ``key`` (lake key of the
        result).

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
    regime = None if arg["regime"] is None else RegimeDetected.model_validate(arg["regime"])
    trained = sorted((ModelTrained.model_validate(t) for t in arg["trained"]), key=lambda t: t.model_id)
    panel = _panel(lake, manifest)
    labels = _labels(lake, manifest, panel)
    state = _state(labels) if regime is None else regime.state
    served = _served(lake, manifest, panel, trained, labels, regime)
    said = _said(served, panel, manifest, state)
    members = [t for t in trained if t.family != VOLATILITY]
    awaited = tuple(sorted([*arg["awaited"], *([] if regime else ["regime"])]))
    data = ForecastReady(
        market=manifest.market,
        run_id=manifest.run_id,
        as_of=manifest.as_of,
        simulated=manifest.simulated,
        provisional=bool(awaited),
        manifest=reference,
        forecasts=said.forecasts,
        missing=said.missing,
        missing_members=tuple(sorted([*arg["failed"], *arg["awaited"]])),
        awaited=awaited,
        served=put_table(lake, f"{arg['key']}.served", _table(served)),
        members=lake.put_json(f"{arg['key']}.members", _live(served, members, regime).model_dump(mode="json")),
        volatility=tuple(said.volatility),
        suspect={} if manifest.simulated else suspects(members, {h: f.metrics for h, f in said.forecasts.items()}),
        duplicates=said.duplicates,
    ).model_dump(mode="json")
    lake.put_json(arg["key"], data)
    return data


@dataclass(frozen=True)
class _Said:
    """What the event says of each horizon."""

    forecasts: dict[Horizon, HorizonForecast] = field(default_factory=dict)
    missing: dict[Horizon, str] = field(default_factory=dict)
    volatility: list[VolatilityScore] = field(default_factory=list)
    duplicates: dict[Horizon, tuple[tuple[str, ...], ...]] = field(default_factory=dict)


def _said(served: dict[Horizon, HorizonServed], panel: Dataset, manifest: RunManifest, state: Regime | None) -> _Said:
    said = _Said()
    for horizon, rows in served.items():
        if state is None:
            said.missing[horizon] = "the regime is not known"
            continue
        window, target_date = _window(manifest, horizon), session_date(int(rows.history.target_sessions[-1]))
        spa_p = superiority(rows, scored(rows, window), horizon.sessions, manifest.cutoff_every)
        result = forecast(rows, panel, horizon, window, regime=state, target_date=target_date, spa_p=spa_p)
        if isinstance(result, str):
            said.missing[horizon] = result
            continue
        said.forecasts[horizon] = result
        said.volatility.extend(volatility_scores(rows, horizon, window))
        if alike := repeated(rows, window):
            said.duplicates[horizon] = alike
    return said


def _panel(lake: Lake, manifest: RunManifest) -> Dataset:
    panel = load_dataset(lake, manifest.datasets["panel"]).until(manifest.as_of_session)
    if not len(panel.sessions) or panel.sessions[-1] != manifest.as_of_session:
        raise DataError(f"the panel has no row at {manifest.as_of}", where="ensemble", hint="export the data again")
    return panel


def _served(
    lake: Lake,
    manifest: RunManifest,
    panel: Dataset,
    trained: list[ModelTrained],
    labels: Ints,
    regime: RegimeDetected | None,
) -> dict[Horizon, HorizonServed]:
    probabilities = None if regime is None else get_table(lake, regime.history)
    found: dict[Horizon, HorizonServed] = {}
    # Seen from one cutoff the distance may not matter, but the width does: a longer horizon starts from the shorter.
    width: Floats | None = None
    for horizon in sorted(manifest.windows, key=lambda h: h.sessions):
        known = history(panel, labels, horizon=horizon.sessions, cutoff_every=manifest.cutoff_every)
        mine = {t.model_id: t for t in trained if t.horizon == horizon}
        forecasts = {name: _forecasts(lake, t) for name, t in mine.items()}
        chances = _chances(probabilities, known)
        served = serve(
            known,
            {name: forecasts[name] for name, t in mine.items() if t.family != VOLATILITY},
            {name: forecasts[name] for name, t in mine.items() if t.family == VOLATILITY and name != EWMA},
            specialists=_specialists(chances, list(mine)),
            learn=partial(
                meta_weights,
                family={name: t.family for name, t in mine.items()},
                chances=chances,
                fit=partial(_fitted, lake),
            ),
            least_width=width,
        )
        found[horizon], width = served, served.band.upper - served.y_hat
    return found


def _labels(lake: Lake, manifest: RunManifest, panel: Dataset) -> Ints:
    rules = market_of(lake, manifest).regime
    unknown = np.full(len(panel.sessions), np.nan)
    fear = panel.features[:, panel.names.index(rules.fear)] if rules.fear in panel.names else unknown
    return rule_labels(panel.sessions, panel.price, fear, rules)


def _state(labels: Ints) -> Regime | None:
    """Regime by the rules, where the regime's service is silent."""
    return None if labels[-1] == UNKNOWN else list(Regime)[labels[-1]]


def _fitted(lake: Lake, *arrays: Floats) -> Booster:
    """Return the meta-learner of one refit, from the lake if it was fitted before."""
    parts = [part for array in arrays for part in (list(array.shape), sha256_hex(array.tobytes()))]
    key = f"meta-learner/{digest(ENVIRONMENT.identity(), lightgbm_weights.ROUNDS, lightgbm_weights.PARAMETERS, parts)}"
    stored = lake.get_if_intact(key)
    if stored is None:
        stored = lightgbm_weights.dump(lightgbm_weights.fit(*arrays))
        lake.put(key, stored)
    return lightgbm_weights.load(stored)  # of a fresh fit too, so that both give the same bits


def _chances(probabilities: pa.Table | None, known: History) -> Floats:
    """Probabilities (n, number of classes) of the regimes at each cutoff, NaN where not known."""
    if probabilities is None:
        return np.full((len(known.sessions), len(CLASSES)), np.nan)
    sessions = probabilities["session"].to_numpy()
    place = np.minimum(np.searchsorted(sessions, known.sessions), len(sessions) - 1)
    table = np.column_stack([probabilities[f"p_{regime}"].to_numpy() for regime in CLASSES])[place]
    return np.where((sessions[place] == known.sessions)[:, None], table, np.nan)


def _specialists(chances: Floats, names: list[str]) -> dict[str, Floats]:
    """Probability, at each cutoff, of the regime that each specialist learned from."""
    regimes = {name: load_catalogue().model(name).regime for name in names}
    return {name: chances[:, CLASSES.index(regime)] for name, regime in regimes.items() if regime is not None}


def _forecasts(lake: Lake, trained: ModelTrained) -> MemberForecasts:
    table = Predictions.get(lake, trained.predictions)
    return MemberForecasts(table.sessions, table.y_hat)


def _window(manifest: RunManifest, horizon: Horizon) -> Window:
    scored = manifest.windows[horizon]
    refit_sessions = load_catalogue().profiles[manifest.profile].refit_sessions
    return Window(scored.start, scored.end, manifest.cutoff_every, refit_sessions)


def _live(
    served: dict[Horizon, HorizonServed], trained: list[ModelTrained], regime: RegimeDetected | None
) -> LiveMembers:
    horizons: dict[Horizon, dict[str, LiveMember]] = {horizon: {} for horizon in served}
    for t in trained:
        rows = served[t.horizon]
        column = rows.members.index(t.model_id)
        y_hat = float(rows.forecasts[-1, column])
        horizons[t.horizon][t.model_id] = LiveMember(
            weight=float(rows.blend.weights[-1, column]),
            y_hat=None if np.isnan(y_hat) else y_hat,
            family=t.family,
            learner=load_catalogue().model(t.model_id).learner,
            dataset=t.dataset,
            predictions=t.predictions,
            artifact=t.artifact,
            folds=t.folds,
            metrics=t.metrics,
        )
    return LiveMembers(horizons=horizons, regime=regime)


def _table(served: dict[Horizon, HorizonServed]) -> pa.Table:
    members = sorted({name for rows in served.values() for name in rows.members})
    return pa.concat_tables([_horizon_table(horizon, rows, members) for horizon, rows in served.items()])


def _horizon_table(horizon: Horizon, rows: HorizonServed, members: list[str]) -> pa.Table:
    known, n = rows.history, len(rows.history.sessions)
    weight = dict(zip(rows.members, rows.blend.weights.T, strict=True))
    numbers = {
        "price": known.price,
        "y_hat": rows.y_hat,
        "y": known.y,
        "lower": known.price * np.exp(rows.band.lower),
        "upper": known.price * np.exp(rows.band.upper),
        "sd": rows.sd,
        **{f"w_{name}": weight.get(name, np.zeros(n)) for name in members},
    }
    return pa.table(
        {
            "horizon": pa.array([str(horizon)] * n, pa.string()),
            "session": pa.array(known.sessions, pa.int64()),
            "cutoff": pa.array(known.dates, pa.date32()),
            "target_session": pa.array(known.target_sessions, pa.int64()),
            "combiner": pa.array(rows.blend.combiner, pa.string()),
            **{name: pa.array(values, pa.float64()) for name, values in numbers.items()},
            "n_matured": pa.array(rows.blend.matured, pa.int64()),
        }
    )
