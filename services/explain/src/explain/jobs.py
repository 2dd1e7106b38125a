"""What runs in a child process: attributing the live forecasts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from cbi_common.core.errors import InfrastructureError
from cbi_common.core.horizon import Horizon
from cbi_common.events.base import LakeRef
from cbi_common.events.explanation import ExplanationReady, ImportanceShift, SignCheck
from cbi_common.events.forecast import ForecastReady, LiveMember, LiveMembers
from cbi_common.events.manifest import RunManifest
from cbi_common.markets.spec import Market
from cbi_common.storage.lake import Lake
from cbi_common.storage.markets import market_of
from cbi_common.timeseries.calendar import session_date
from cbi_common.timeseries.dataset import Dataset, Floats, Ints
from cbi_common.timeseries.nets import Net, read_net
from cbi_common.training.datasets import load_dataset
from explain.adapters import lightgbm_contributions, xgboost_contributions
from explain.domain import linear_contributions, net_contributions
from explain.domain.attribution import PRICE_HISTORY, Member, Source, by_feature, by_group, explain, whole
from explain.domain.past import Past, SignFound, driver_coverage, importance, signs
from explain.domain.row import Rows
from explain.domain.shift import RECENT, shift
from explain.domain.why import why
from explain.history import Histories

ADDITIVE: Mapping[str, Callable[[bytes, Rows], tuple[list[str], Floats, Floats]]] = {
    "lightgbm": lightgbm_contributions.contributions,
    "xgboost_dart": xgboost_contributions.contributions,
    "ridge": linear_contributions.contributions,
}
"""Learners whose forecast is a sum over features, and what splits it."""

NETS: Mapping[str, bool] = {"dense": False, "sequence": True}
"""Learners of nets, and whether they read a window of sessions."""


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
    market = market_of(lake, manifest)
    split = _Split(lake, manifest, market.group_of)
    histories = Histories(lake, manifest, forecast, ADDITIVE, market.group_of, split.known)
    found = {
        horizon: explain(
            [Member(m.weight, split.of(m, horizon)) for _, m in sorted(used[horizon].items())],
            current=said.current,
            forecast=said.point,
        )
        for horizon, said in forecast.forecasts.items()
    }
    data = ExplanationReady(
        market=forecast.market,
        run_id=forecast.run_id,
        as_of=forecast.as_of,
        explanations={
            horizon: one.model_copy(
                update={
                    "why": why(
                        horizon,
                        forecast.forecasts[horizon],
                        one.groups,
                        what=market.name,
                        unit=market.unit,
                    ),
                    **_past(histories.of(horizon, live.horizons[horizon]), split.known("full"), market),
                }
            )
            for horizon, one in found.items()
        },
        forecast=lake.put_json(f"{arg['key']}.forecast", forecast.model_dump(mode="json")),
    ).model_dump(mode="json")
    lake.put_json(arg["key"], data)
    return data


def _past(found: tuple[Ints, Past] | None, full: Dataset, market: Market) -> dict[str, Any]:
    if found is None or not len(found[0]):
        return {}
    sessions, past = found
    rows = Rows.at(full, sessions)
    drivers = {
        feature.name: (series, sign)
        for series, sign in market.expected_signs.items()
        if sign
        for feature in market.drivers_of(series)
    }
    values = dict(zip(rows.names, rows.values.T, strict=True))
    return {
        "driver_coverage": driver_coverage(past),
        "importance": importance(past),
        "shift": _shift(sessions, past),
        "signs": {one.feature: _checked(one, *drivers[one.feature]) for one in signs(past, values, drivers)},
        "n_past": len(sessions),
    }


def _shift(sessions: Ints, past: Past) -> ImportanceShift | None:
    found = shift(past)
    if found is None:
        return None
    since = session_date(int(sessions[-RECENT]))
    return ImportanceShift(
        correlation=found.correlation, lowest=found.lowest, recent=found.recent, since=since, drifted=found.drifted
    )


def _checked(found: SignFound, series: str, expected: Literal[-1, 1]) -> SignCheck:
    agrees = None if found.correlation is None else found.correlation * expected > 0
    return SignCheck(series=series, expected=expected, found=found.correlation, n=found.n, agrees=agrees)


class _Split:
    """Splits members' forecasts into what they are made of; reads every dataset and every net once."""

    def __init__(self, lake: Lake, manifest: RunManifest, group_of: Mapping[str, str]) -> None:
        self._lake, self._manifest, self._group_of = lake, manifest, group_of
        self._datasets: dict[str, Dataset] = {}
        self._nets: dict[str, tuple[Net, list[str], Floats, Floats]] = {}

    def of(self, member: LiveMember, horizon: Horizon) -> dict[Source, float]:
        """Return the log return that each source contributes."""
        if member.learner == "no_change":
            return {}
        assert member.y_hat is not None  # a member without a forecast has no weight
        if member.learner not in (*ADDITIVE, *NETS):
            return whole(PRICE_HISTORY, member.y_hat)
        if member.artifact is None:
            raise InfrastructureError("a model with a weight left no artifact", where="explain", hint="train again")
        if member.learner in NETS:
            net, groups, shares, expected = self._net(member, member.artifact)
            column = net.horizons.index(horizon)
            return by_group(groups, shares[:, column], float(expected[column]))
        known = self.known(member.dataset)
        rows = Rows.at(known, known.sessions[-1:])
        names, shares, mean = ADDITIVE[member.learner](self._lake.get(member.artifact), rows)
        return by_feature(names, shares[0], float(mean[0]), self._group_of)

    def _net(self, member: LiveMember, artifact: LakeRef) -> tuple[Net, list[str], Floats, Floats]:
        if artifact.key not in self._nets:
            net = read_net(self._lake.get(artifact), windows=NETS[member.learner])
            found = net_contributions.contributions(net, self.known(member.dataset), self._group_of)
            self._nets[artifact.key] = (net, *found)
        return self._nets[artifact.key]

    def known(self, dataset: str) -> Dataset:
        """Return what is known at as_of of a dataset."""
        if dataset not in self._datasets:
            ref = self._manifest.datasets[dataset]
            self._datasets[dataset] = load_dataset(self._lake, ref).until(self._manifest.as_of_session)
        return self._datasets[dataset]
