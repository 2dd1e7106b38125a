"""What runs in a child process: gathering the evidence of a run and putting it to the gates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from cbi_common.core.horizon import Horizon
from cbi_common.events.forecast import ForecastReady, LiveMember, LiveMembers
from cbi_common.events.manifest import RunManifest
from cbi_common.events.promotion import GateReport, PromotionRejected
from cbi_common.storage.lake import Lake
from cbi_common.storage.tables import get_table
from cbi_common.timeseries.calendar import session_date
from promoter.domain.evidence import (
    Evidence,
    Purge,
    best_member,
    least_refits,
    purge_problems,
    r2_against_no_change,
    yearly_r2,
)
from promoter.domain.gates import judge
from promoter.domain.policy import DECIDING, load_policies


def evaluate(arg: dict[str, Any]) -> dict[str, Any]:
    """Put every horizon of a forecast to the gates.

    Parameters
    ----------
    arg : {"lake": URL, "forecast": data of `ForecastReady`, "key": lake key of the result}

    Returns
    -------
    dict
        Data of `PromotionRejected`, as stored under ``key``.
    """
    lake, forecast = Lake(arg["lake"]), ForecastReady.model_validate(arg["forecast"])
    manifest = RunManifest.model_validate(lake.get_json(forecast.manifest))
    live = LiveMembers.model_validate(lake.get_json(forecast.members))
    served = get_table(lake, forecast.served)
    gates = {
        horizon: judge(
            _evidence(lake, manifest, forecast, live, _scored(served, manifest, horizon), horizon), load_policies()
        )
        for horizon in sorted(forecast.forecasts, key=lambda h: h.sessions)
    }
    data = PromotionRejected(
        market=forecast.market,
        run_id=forecast.run_id,
        as_of=forecast.as_of,
        policy=DECIDING,
        gates=gates,
        reason=_reason(gates),
    ).model_dump(mode="json")
    lake.put_json(arg["key"], data)
    return data


def _scored(served: pa.Table, manifest: RunManifest, horizon: Horizon) -> dict[str, Any]:
    window = manifest.windows[horizon]
    table = {name: served[name].to_numpy() for name in ("horizon", "session", "target_session", "price", "y_hat", "y")}
    inside = (table["session"] >= window.start) & (table["session"] <= window.end)
    rows = inside & (table["horizon"] == str(horizon)) & ~np.isnan(table["y"])
    return {name: values[rows] for name, values in table.items()}


def _evidence(
    lake: Lake,
    manifest: RunManifest,
    forecast: ForecastReady,
    live: LiveMembers,
    scored: dict[str, Any],
    horizon: Horizon,
) -> Evidence:
    served, members = forecast.forecasts[horizon], live.horizons.get(horizon, {})
    price = scored["price"]
    actual, point = price * np.exp(scored["y"]), price * np.exp(scored["y_hat"])
    years = np.array([session_date(int(s)).year for s in scored["target_session"]], dtype=np.int64)
    tables = {m: _predictions(lake, member) for m, member in sorted(members.items())}
    window = manifest.windows[horizon]
    refits = {m: _refits(table, window.start, window.end) for m, table in tables.items()}
    return Evidence(
        metrics=served.metrics,
        coverage_90=served.coverage_90,
        simulated=forecast.simulated,
        years=yearly_r2(years, actual, point, price),
        r2_against_no_change=r2_against_no_change(actual, point, price) if len(price) else None,
        purge=_purge(tables, horizon.sessions, manifest.as_of_session),
        refits=least_refits(served.members, refits),
        best_member=best_member(members),
        regime_accuracy=live.regime.nowcast_accuracy if live.regime else None,
    )


def _predictions(lake: Lake, member: LiveMember) -> dict[str, Any]:
    table = get_table(lake, member.predictions)
    return {name: table[name].to_numpy() for name in ("session", "target_session", "refit_session", "y")}


def _refits(table: dict[str, Any], start: int, end: int) -> int:
    inside = (table["session"] >= start) & (table["session"] <= end)
    return len(np.unique(table["refit_session"][inside]))


def _purge(tables: dict[str, dict[str, Any]], horizon: int, as_of_session: int) -> Purge:
    problems = []
    for model_id, t in tables.items():
        found = purge_problems(
            t["session"], t["target_session"], t["refit_session"], t["y"], horizon=horizon, as_of_session=as_of_session
        )
        problems += [f"{model_id}: {problem}" for problem in found]
    return Purge(len(tables), sum(len(t["session"]) for t in tables.values()), tuple(problems))


def _reason(gates: dict[Horizon, GateReport]) -> str:
    parts = []
    for horizon, report in gates.items():
        results = report.policies[DECIDING].gates
        failed = [g.id for g in results if not g.passed]
        parts.append(
            f"{horizon} fails {len(failed)} of {len(results)} ({', '.join(failed)})" if failed else f"{horizon} passes"
        )
    return f"{'; '.join(parts)}; promotion is not switched on yet"
