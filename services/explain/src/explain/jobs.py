"""What runs in a child process: attributing the live forecasts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cbi_common.core.errors import InfrastructureError
from cbi_common.events.explanation import ExplanationReady
from cbi_common.events.forecast import ForecastReady, LiveMember, LiveMembers
from cbi_common.events.manifest import RunManifest
from cbi_common.storage.lake import Lake
from cbi_common.storage.markets import market_of
from cbi_common.timeseries.dataset import Floats
from cbi_common.training.datasets import load_dataset
from explain.adapters import lightgbm_contributions, xgboost_contributions
from explain.domain import linear_contributions
from explain.domain.attribution import NETS, PRICE_HISTORY, Member, Source, by_feature, explain, whole
from explain.domain.row import Row

ADDITIVE: Mapping[str, Callable[[bytes, Row], tuple[list[str], Floats, float]]] = {
    "lightgbm": lightgbm_contributions.contributions,
    "xgboost_dart": xgboost_contributions.contributions,
    "ridge": linear_contributions.contributions,
}
"""Learners whose forecast is a sum over features, and what splits it."""


def attribute(arg: dict[str, Any]) -> dict[str, Any]:
    """Say why each forecast differs from no-change.

    Parameters
    ----------
    arg : {"lake": URL, "forecast": data of `ForecastReady`, "key": lake key of the result}

    Returns
    -------
    dict
        Data of `ExplanationReady`, as stored under ``key``.
    """
    lake, forecast = Lake(arg["lake"]), ForecastReady.model_validate(arg["forecast"])
    manifest = RunManifest.model_validate(lake.get_json(forecast.manifest))
    live = LiveMembers.model_validate(lake.get_json(forecast.members))
    used = {h: {i: m for i, m in members.items() if m.weight > 0} for h, members in live.horizons.items()}
    datasets = {m.dataset for members in used.values() for m in members.values() if m.learner in ADDITIVE}
    rows = {name: _row(lake, manifest, name) for name in sorted(datasets)}
    group_of = market_of(lake, manifest).group_of
    data = ExplanationReady(
        market=forecast.market,
        run_id=forecast.run_id,
        as_of=forecast.as_of,
        explanations={
            horizon: explain(
                [Member(m.weight, _contributions(lake, m, rows, group_of)) for _, m in sorted(used[horizon].items())],
                current=found.current,
                forecast=found.point,
            )
            for horizon, found in forecast.forecasts.items()
        },
    ).model_dump(mode="json")
    lake.put_json(arg["key"], data)
    return data


def _row(lake: Lake, manifest: RunManifest, dataset: str) -> Row:
    live = load_dataset(lake, manifest.datasets[dataset]).until(manifest.as_of_session).last(1)
    return dict(zip(live.names, live.features[0].tolist(), strict=True))


def _contributions(
    lake: Lake, member: LiveMember, rows: Mapping[str, Row], group_of: Mapping[str, str]
) -> dict[Source, float]:
    if member.learner == "no_change":
        return {}
    assert member.y_hat is not None  # a member without a forecast has no weight
    if member.learner in ADDITIVE:
        if member.artifact is None:
            raise InfrastructureError("a model with a weight left no artifact", where="explain", hint="train again")
        names, shares, expected = ADDITIVE[member.learner](lake.get(member.artifact), rows[member.dataset])
        return by_feature(names, shares, expected, group_of)
    return whole(PRICE_HISTORY if member.family == "statistical" else NETS, member.y_hat)
