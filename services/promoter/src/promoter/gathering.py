"""Gathers from the lake what the gates look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cbi_common.core.errors import CbiError
from cbi_common.core.horizon import Horizon
from cbi_common.events.base import LakeRef
from cbi_common.events.explanation import ExplanationReady
from cbi_common.events.forecast import ForecastReady, LiveMember, LiveMembers
from cbi_common.events.manifest import RunManifest
from cbi_common.events.proofs import CeilingProof, LeakageProof
from cbi_common.markets.spec import Market
from cbi_common.storage.lake import Lake
from cbi_common.storage.markets import market_of
from cbi_common.storage.tables import get_table
from cbi_common.timeseries.calendar import session_date
from cbi_common.timeseries.dataset import Dataset
from cbi_common.timeseries.losses import mape, r2_against
from cbi_common.timeseries.significance import diebold_mariano, n_effective
from cbi_common.training.datasets import load_dataset
from promoter.domain.benchmark import AgainstBenchmark, BenchmarkRows, common, refuse
from promoter.domain.evidence import (
    Evidence,
    Purge,
    Signs,
    best_member,
    least_refits,
    purge_problems,
    split_problems,
    yearly_r2,
)
from promoter.domain.response import Response, grid, responses
from promoter.packaging import write_package
from promoter.serving.model import PackagedModel


@dataclass(frozen=True)
class Judged:
    """What is judged: a forecast and its explanation, and the proofs that were there."""

    forecast: ForecastReady
    explained: ExplanationReady
    proofs: tuple[LakeRef, ...]


class Gathering:
    """Reads what is common to all horizons once.

    Parameters
    ----------
    lake : Lake
    judged : Judged
    """

    def __init__(self, lake: Lake, judged: Judged) -> None:
        self._lake, self._judged = lake, judged
        self._forecast, self._explained = judged.forecast, judged.explained
        self._manifest = RunManifest.model_validate(lake.get_json(self._forecast.manifest))
        self._live = LiveMembers.model_validate(lake.get_json(self._forecast.members))
        self._market: Market = market_of(lake, self._manifest)
        self._served = get_table(lake, self._forecast.served)
        self._panel: Dataset | None = None
        ref = self._manifest.benchmark
        self._benchmark = None if ref is None else get_table(lake, ref)
        self._unperturbed = ""
        self._responses = self._perturbed()
        proofs = {ref.key.partition("-")[0]: ref for ref in judged.proofs}
        leakage, ceiling = proofs.get("proof/leakage"), proofs.get("proof/ceiling")
        self._leakage = None if leakage is None else LeakageProof.model_validate(lake.get_json(leakage))
        self._ceiling = None if ceiling is None else CeilingProof.model_validate(lake.get_json(ceiling))
        self._proof_keys = {"leak_audit": leakage, "plausible": ceiling}

    def of(self, horizon: Horizon) -> Evidence:
        """Return the evidence of one horizon."""
        said, members = self._forecast.forecasts[horizon], self._live.horizons.get(horizon, {})
        scored = self._scored(horizon)
        price = scored["price"]
        actual, point = price * np.exp(scored["y"]), price * np.exp(scored["y_hat"])
        years = np.array([session_date(int(s)).year for s in scored["target_session"]], dtype=np.int64)
        tables = {m: _predictions(self._lake, member) for m, member in sorted(members.items())}
        window = self._manifest.windows[horizon]
        refits = {m: _refits(table, window.start, window.end) for m, table in tables.items()}
        return Evidence(
            metrics=said.metrics,
            coverage_90=said.coverage_90,
            simulated=self._forecast.simulated,
            years=yearly_r2(years, actual, point, price),
            r2_against_no_change=r2_against(point, price, actual),
            purge=_purge(tables, horizon.sessions, self._manifest.as_of_session),
            split_problems=self._split(tables, horizon),
            too_good=self._forecast.suspect.get("ensemble", ()),
            leakage=self._leakage,
            benchmark=self._against_benchmark(scored, horizon),
            declared_mape=self._market.benchmark.declared_mape.get(horizon) if self._market.benchmark else None,
            signs=self._signs(horizon),
            responses=self._responses.get(horizon),
            unperturbed=self._unperturbed,
            ceiling_r2=None if self._ceiling is None else self._ceiling.r2_against_no_change.get(horizon),
            refits=least_refits(said.members, refits),
            best_member=best_member(members),
            regime_accuracy=self._live.regime.nowcast_accuracy if self._live.regime else None,
            sources=self._sources(members),
        )

    def _sources(self, members: Mapping[str, LiveMember]) -> dict[str, tuple[str, ...]]:
        served, benchmark = self._forecast.served.key, self._manifest.benchmark
        explained = () if self._explained.forecast is None else (self._explained.forecast.key,)
        proofs = {check: () if ref is None else (ref.key,) for check, ref in self._proof_keys.items()}
        compared = (served, *([] if benchmark is None else [benchmark.key]))
        predictions = tuple(member.predictions.key for _, member in sorted(members.items()))
        return {
            **dict.fromkeys(("skill", "significance", "coverage", "lowest_yearly_r2"), (served,)),
            "plausible": (served, *proofs["plausible"]),
            "mape_against_benchmark": compared,
            "benchmark_significance": compared,
            "attribution_signs": explained,
            "monotone_response": (self._forecast.members.key,),
            "leak_audit": (*proofs["leak_audit"], *predictions),
            "refits": predictions,
            "regime_accuracy": (self._forecast.members.key,),
        }

    def _scored(self, horizon: Horizon) -> dict[str, Any]:
        window = self._manifest.windows[horizon]
        names = ("horizon", "session", "target_session", "price", "y_hat", "y")
        table = {name: self._served[name].to_numpy() for name in names}
        inside = (table["session"] >= window.start) & (table["session"] <= window.end)
        rows = inside & (table["horizon"] == str(horizon)) & ~np.isnan(table["y"])
        return {name: values[rows] for name, values in table.items()}

    def _split(self, tables: Mapping[str, dict[str, Any]], horizon: Horizon) -> tuple[str, ...]:
        if self._panel is None:
            self._panel = load_dataset(self._lake, self._manifest.datasets["panel"])
        refits = np.unique(np.concatenate([table["refit_session"] for table in tables.values()] or [np.empty(0)]))
        return split_problems(self._panel, refits.astype(np.int64), horizon)

    def _against_benchmark(self, scored: Mapping[str, Any], horizon: Horizon) -> AgainstBenchmark | None:
        if self._benchmark is None:
            return None
        own = self._benchmark.filter(pc.equal(self._benchmark["horizon"], pa.scalar(str(horizon))))
        rows = BenchmarkRows(
            own["session"].to_numpy(),
            own["target_session"].to_numpy(),
            own["predicted"].to_numpy(),
            own["made"].to_numpy().astype("datetime64[D]"),
        )
        if not len(rows.sessions):
            return None
        target_days = np.array([session_date(int(s)) for s in rows.target_sessions], dtype="datetime64[D]")
        kept, refused = refuse(rows, horizon.sessions, target_days)
        mine, theirs = common(scored["session"], rows.sessions[kept])
        price = scored["price"][mine]
        actual, point = price * np.exp(scored["y"][mine]), price * np.exp(scored["y_hat"][mine])
        predicted = rows.predicted[kept][theirs]
        if not len(mine):
            return AgainstBenchmark(0, 0.0, 0.0, None, refused)
        effective = n_effective(scored["session"][mine], scored["target_session"][mine], horizon.sessions)
        p = diebold_mariano(
            np.abs(point - actual), np.abs(predicted - actual), horizon_sessions=horizon.sessions,
            step=self._manifest.cutoff_every, effective=effective,
        )  # fmt: skip
        return AgainstBenchmark(len(mine), mape(point, actual), mape(predicted, actual), p, refused)

    def _signs(self, horizon: Horizon) -> Signs | None:
        found = self._explained.explanations.get(horizon)
        if found is None:
            return None
        said = {name: check.agrees for name, check in sorted(found.signs.items())}
        agree = tuple(name for name, agrees in said.items() if agrees)
        return Signs(agree, tuple(name for name, agrees in said.items() if agrees is False), found.n_past)

    def _perturbed(self) -> dict[Horizon, tuple[Response, ...]]:
        full = load_dataset(self._lake, self._manifest.datasets["full"]).until(self._manifest.as_of_session)
        signed = {
            feature.name: (series, sign)
            for series, sign in self._market.expected_signs.items()
            if sign
            for feature in self._market.drivers_of(series)
        }
        grids = {
            name: values
            for name in signed
            if name in full.names and (values := grid(full.features[:, full.names.index(name)])) is not None
        }
        with TemporaryDirectory(prefix="cbi-gates-") as folder:
            try:
                write_package(self._lake, self._forecast, self._explained, Path(folder))
                model = PackagedModel(Path(folder))
            except CbiError as error:
                self._unperturbed = error.line()
                return {}
            return {
                horizon: responses(lambda changes, h=horizon: model.log_return(h, changes), signed, grids)  # type: ignore[misc]
                for horizon in model.package.horizons
            }


def _predictions(lake: Lake, member: LiveMember) -> dict[str, Any]:
    table = get_table(lake, member.predictions)
    return {name: table[name].to_numpy() for name in ("session", "target_session", "refit_session", "y")}


def _refits(table: dict[str, Any], start: int, end: int) -> int:
    inside = (table["session"] >= start) & (table["session"] <= end)
    return len(np.unique(table["refit_session"][inside]))


def _purge(tables: Mapping[str, dict[str, Any]], horizon: int, as_of_session: int) -> Purge:
    problems = []
    for model_id, t in tables.items():
        found = purge_problems(
            t["session"], t["target_session"], t["refit_session"], t["y"], horizon=horizon, as_of_session=as_of_session
        )
        problems += [f"{model_id}: {problem}" for problem in found]
    return Purge(len(tables), sum(len(t["session"]) for t in tables.values()), tuple(problems))
