"""What runs in a child process: scoring matured forecasts, served and issued."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from cbi_common.core.errors import DataError
from cbi_common.core.horizon import Horizon
from cbi_common.core.regime import Regime
from cbi_common.events.forecast import ForecastReady, LiveMembers
from cbi_common.events.manifest import RunManifest
from cbi_common.events.monitoring import Slice, ValidationCompleted
from cbi_common.storage.lake import Lake
from cbi_common.storage.markets import market_of
from cbi_common.storage.tables import get_table
from cbi_common.timeseries.eras import Era, era_of
from cbi_common.timeseries.losses import naive_mae
from monitor.domain.rows import Rows
from monitor.domain.slices import MOVES, by_label, move_sizes, overall
from monitor.domain.track_record import Issue, matured

_ROW_COLUMNS = ("session", "target_session", "price", "y_hat", "y", "lower", "upper")


def validate(arg: dict[str, Any]) -> dict[str, Any]:
    """Score the forecasts as served at past cutoffs, and those that earlier runs issued.

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
    served = get_table(lake, forecast.served)
    panel = get_table(lake, manifest.datasets["panel"])
    known = {name: panel[name].to_numpy() for name in ("session", "price")}
    regimes = _regimes(lake, forecast)
    eras = market_of(lake, manifest).eras
    horizons = sorted(forecast.forecasts, key=lambda h: h.sessions)
    walked = {h: _walk_forward(served, manifest, known, regimes, eras, h) for h in horizons}
    issues = [Issue.model_validate(i) for i in arg["issues"]]
    issued = {h: _issued(matured(issues, h, known["session"], known["price"]), h) for h in horizons}
    result = {
        "walk_forward": _event(forecast, "walk_forward", walked),
        "issued": _event(forecast, "issued", {h: s for h, s in issued.items() if s}),
    }
    lake.put_json(arg["key"], result)
    return result


def _event(forecast: ForecastReady, source: Any, horizons: dict[Horizon, tuple[Slice, ...]]) -> dict[str, Any] | None:
    if not horizons:
        return None
    return ValidationCompleted(
        market=forecast.market, run_id=forecast.run_id, as_of=forecast.as_of, source=source, horizons=horizons
    ).model_dump(mode="json")


def _regimes(lake: Lake, forecast: ForecastReady) -> dict[int, str]:
    regime = LiveMembers.model_validate(lake.get_json(forecast.members)).regime
    if regime is None:  # only a provisional forecast may stand on no regime, and it is not validated
        raise DataError("a forecast without a regime", where=f"run {forecast.run_id}", hint="let the run be finished")
    history = get_table(lake, regime.history)
    sessions, states = (history[name].to_numpy() for name in ("session", "state"))
    return {int(session): str(state) for session, state in zip(sessions, states, strict=True)}


def _walk_forward(
    served: pa.Table,
    manifest: RunManifest,
    known: dict[str, Any],
    regimes: dict[int, str],
    eras: Sequence[Era],
    horizon: Horizon,
) -> tuple[Slice, ...]:
    window = manifest.windows[horizon]
    table = {name: served[name].to_numpy() for name in (*_ROW_COLUMNS, "horizon", "cutoff")}
    inside = (table["session"] >= window.start) & (table["session"] <= window.end)
    keep = inside & (table["horizon"] == str(horizon)) & ~np.isnan(table["y"])
    rows = Rows(*(table[name][keep] for name in _ROW_COLUMNS))
    before = known["session"] <= window.start
    settings: dict[str, Any] = {
        "horizon": horizon.sessions,
        "step": manifest.cutoff_every,
        "naive_mae": naive_mae(known["session"][before], known["price"][before], horizon.sessions),
    }
    states = [regimes.get(int(s)) for s in rows.sessions]
    positions = era_of(table["cutoff"][keep], eras)
    names = [eras[i].name if i >= 0 else None for i in positions]
    return (
        overall(rows, **settings),
        *by_label(rows, "regime", states, [str(r) for r in Regime], **settings),
        *by_label(rows, "era", names, [era.name for era in eras], **settings),
        *by_label(rows, "move", move_sizes(rows.y), MOVES, **settings),
    )


def _issued(rows: Rows, horizon: Horizon) -> tuple[Slice, ...]:
    # Runs may come daily: the smallest step assumes the most overlap.
    return (overall(rows, horizon=horizon.sessions, step=1),) if len(rows.y) else ()
