"""What the rules find, in a child process: in the data of an export, and in the errors of a forecast."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from cbi_common.core.errors import DataError
from cbi_common.core.horizon import Horizon
from cbi_common.events.data import DataExported
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.manifest import RunManifest, ScoredWindow
from cbi_common.markets.spec import Market
from cbi_common.storage.lake import Lake
from cbi_common.storage.markets import market_of
from cbi_common.training.datasets import load_dataset
from monitor.domain import feature_drift
from monitor.domain.correlation import correlation_scores, find_broken
from monitor.domain.finding import Finding
from monitor.domain.frozen import find_frozen
from monitor.domain.hit_rates import find_failing_regimes, find_wrong_coverage, find_wrong_direction
from monitor.domain.market_view import MarketView
from monitor.domain.performance import find_degraded, performance_score
from monitor.domain.rows import Rows
from monitor.domain.rules import Rules
from monitor.domain.staleness import find_stale, staleness_scores
from monitor.domain.unseen import find_unseen, unseen_score
from monitor.regimes import regimes_of
from monitor.served import served_rows


def look_at_data(arg: dict[str, Any]) -> dict[str, Any]:
    """Find what is wrong with the data of an export, as of its last day.

    Parameters
    ----------
    arg : {"lake": URL, "exported": data of `DataExported`, "rules": data of `Rules`, "key": lake key of the result}

    Returns
    -------
    dict
        ``findings``: list of `Finding`, ``scores``: how near each statistic is to its limit, as stored under ``key``.
    """
    lake, exported = Lake(arg["lake"]), DataExported.model_validate(arg["exported"])
    if exported.manifest is None:
        raise DataError("an export without a manifest", where="monitor", hint="let ingest complete it")
    rules = Rules.model_validate(arg["rules"])
    manifest = RunManifest.model_validate(lake.get_json(exported.manifest))
    market = market_of(lake, manifest)
    stale = find_stale(market, exported.quality, manifest.as_of)
    found, scores = _in_the_market(lake, manifest, market, rules, _told(stale))
    scores |= _named("stale", staleness_scores(market, exported.quality, manifest.as_of))
    return _stored(lake, arg["key"], [*stale, *found], scores)


def look_at_errors(arg: dict[str, Any]) -> dict[str, Any]:
    """Find what is wrong with the forecasts that have matured by the day of a forecast.

    Parameters
    ----------
    arg : {"lake": URL, "forecast": data of `ForecastReady`, "rules": data of `Rules`, "key": lake key of the result}

    Returns
    -------
    dict
        ``findings``: list of `Finding`, ``scores``: how near each statistic is to its limit, as stored under ``key``.
    """
    lake, forecast = Lake(arg["lake"]), ForecastReady.model_validate(arg["forecast"])
    rules = Rules.model_validate(arg["rules"])
    manifest = RunManifest.model_validate(lake.get_json(forecast.manifest))
    tables, regimes = served_rows(lake, forecast), regimes_of(lake, forecast)
    found: list[Finding] = []
    scores: dict[str, float] = {}
    for horizon in sorted(forecast.forecasts, key=lambda h: h.sessions):
        rows = _since(tables[horizon], manifest.windows[horizon])
        found += _in_errors(rows, regimes, horizon, rules)
        if (score := performance_score(rows, horizon, rules.performance)) is not None:
            scores[f"performance/{horizon}"] = score
    return _stored(lake, arg["key"], found, scores)


def _in_errors(rows: Rows, regimes: dict[int, str], horizon: Horizon, rules: Rules) -> list[Finding]:
    from monitor.adapters.page_hinkley import detected

    return [
        *find_degraded(rows, horizon, rules.performance, detected),
        *find_wrong_direction(rows, horizon, rules.direction),
        *find_wrong_coverage(rows, horizon, rules.coverage),
        *find_failing_regimes(rows, regimes, horizon, rules.regime_failure),
    ]


def _in_the_market(
    lake: Lake, manifest: RunManifest, market: Market, rules: Rules, stale: frozenset[str]
) -> tuple[list[Finding], dict[str, float]]:
    panel = load_dataset(lake, manifest.datasets["panel"]).until(manifest.as_of_session)
    full = load_dataset(lake, manifest.datasets["full"]).until(manifest.as_of_session)
    view = MarketView(
        panel.sessions,
        panel.dates,
        panel.price,
        dict(zip(panel.names, panel.features.T, strict=True)),
        dict(zip(full.names, full.features.T, strict=True)) if len(full.sessions) == len(panel.sessions) else {},
    )
    daily = [spec.name for spec in market.series if spec.frequency == "session" and spec.name in view.series]
    alive = [name for name in daily if market.by_name[name].table not in stale]
    frozen = find_frozen(view, alive, rules.frozen)
    columns = feature_drift.judged_columns(_without(view, market, _told(frozen)), alive)
    groups = {**{_daily(name): _group_of(market, name) for name in alive}, **market.group_of}
    known = feature_drift.references(view, columns, rules.feature)
    unseen = unseen_score(view, market.regime.fear, rules.unseen)
    scores = {
        **_named("correlation", correlation_scores(view, market.correlation_pairs, rules.correlation)),
        **_named("regime", {} if unseen is None else {"unseen": unseen}),
        **_named("feature", feature_drift.feature_scores(columns, known, groups, rules.feature)),
    }
    found = [
        *frozen,
        *find_broken(view, market.correlation_pairs, rules.correlation),
        *find_unseen(view, market.regime.fear, rules.unseen),
        *feature_drift.find_drifted(view, columns, known, groups, rules.feature),
    ]
    return found, scores


def _without(view: MarketView, market: Market, names: frozenset[str]) -> MarketView:
    """Leave out series and all that is made of them: that they have stopped is told already."""
    made = {feature.name for feature in market.features if not names.isdisjoint(feature.inputs)}
    return replace(
        view,
        series={name: values for name, values in view.series.items() if name not in names},
        features={name: values for name, values in view.features.items() if name not in made},
    )


def _daily(series: str) -> str:
    return feature_drift.DAILY_CHANGE.format(series)


def _group_of(market: Market, series: str) -> str:
    """Return the driver group of the first feature that is made of a series."""
    return next((feature.group for feature in market.features if series in feature.inputs), "other")


def _told(stale: Iterable[Finding]) -> frozenset[str]:
    """What is known to have stopped: what else it shows is the same trouble."""
    return frozenset(finding.where for finding in stale)


def _since(rows: Rows, window: ScoredWindow) -> Rows:
    return rows.where(np.asarray(rows.sessions >= window.start))


def _named(kind: str, scores: dict[str, float]) -> dict[str, float]:
    return {f"{kind}/{where}": ratio for where, ratio in scores.items()}


def _stored(lake: Lake, key: str, findings: list[Finding], scores: dict[str, float]) -> dict[str, Any]:
    result = {"findings": [finding.model_dump(mode="json") for finding in findings], "scores": scores}
    lake.put_json(key, result)
    return result
