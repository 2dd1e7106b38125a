"""Writes a package: every member that the live forecast listens to, as its trainer stores it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cbi_common.catalogue.spec import load_catalogue
from cbi_common.core.errors import InfrastructureError, JobError
from cbi_common.core.horizon import Horizon
from cbi_common.events.base import LakeRef
from cbi_common.events.explanation import ExplanationReady
from cbi_common.events.forecast import ForecastReady, LiveMember, LiveMembers
from cbi_common.events.manifest import RunManifest
from cbi_common.markets.responses import responses
from cbi_common.markets.spec import Market
from cbi_common.storage.lake import Lake
from cbi_common.storage.markets import market_of
from cbi_common.timeseries.dataset import Dataset
from cbi_common.training.datasets import load_dataset
from cbi_common.training.live_model import device_of, live_model, loader_of
from cbi_common.training.predictions import Predictions
from cbi_common.training.served_model import ServedModel, store
from promoter.archive import archive
from promoter.domain.package import DESCRIPTION, Package, PackagedHorizon, PackagedMember

TOLERANCE = 1e-9
"""Of a log return: a model that does not repeat its forecast from its package is not packaged."""


def write_package(
    lake: Lake,
    forecast: ForecastReady,
    explained: ExplanationReady | None,
    folder: Path,
    only: Collection[Horizon] | None = None,
) -> Package:
    """Write the package of a forecast, or of some of its horizons, into an empty folder.

    Raises
    ------
    JobError
        When a member does not repeat its forecast from what is packaged.
    InfrastructureError
        When a member left no model, or its trainer is not installed.
    """
    manifest = RunManifest.model_validate(lake.get_json(forecast.manifest))
    live = LiveMembers.model_validate(lake.get_json(forecast.members))
    market = market_of(lake, manifest)
    writer = _Writer(lake, manifest, market, folder)
    horizons = {
        horizon: PackagedHorizon(
            target_date=said.target_date,
            current=said.current,
            point=said.point,
            lower_90=said.lower_90,
            upper_90=said.upper_90,
            members=writer.members(horizon, live.horizons[horizon]),
            groups={} if explained is None else explained.explanations[horizon].groups,
        )
        for horizon, said in sorted(forecast.forecasts.items(), key=lambda item: item[0].sessions)
        if only is None or horizon in only
    }
    package = Package(
        market=forecast.market,
        title=market.name,
        unit=market.unit,
        run_id=forecast.run_id,
        as_of=forecast.as_of,
        simulated=forecast.simulated,
        drivers=responses(market),
        group_of=market.group_of,
        horizons=horizons,
    )
    (folder / DESCRIPTION).write_text(package.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return package


class _Writer:
    """Writes members; rows that several of them see are written once."""

    def __init__(self, lake: Lake, manifest: RunManifest, market: Market, folder: Path) -> None:
        self._lake, self._manifest, self._market, self._folder = lake, manifest, market, folder
        self._datasets: dict[str, Dataset] = {}

    def members(self, horizon: Horizon, live: Mapping[str, LiveMember]) -> tuple[PackagedMember, ...]:
        heard = {m: member for m, member in sorted(live.items()) if member.weight > 0 and member.learner != "no_change"}
        return tuple(self._member(horizon, model_id, member) for model_id, member in heard.items())

    def _member(self, horizon: Horizon, model_id: str, member: LiveMember) -> PackagedMember:
        where = f"{model_id} at {horizon}"
        if member.artifact is None or member.y_hat is None:
            raise InfrastructureError("a model with a weight left no artifact", where=where, hint="train again")
        spec, device = load_catalogue().model(model_id), device_of(model_id)
        table = Predictions.get(self._lake, member.predictions)
        fitted = [m.horizon for m in self._manifest.members if m.model_id == model_id]
        found = live_model(
            spec, horizon, fitted, self._manifest, self._market, self._dataset(member.dataset),
            int(table.refit_sessions[-1]),
        )  # fmt: skip
        folder, rows = f"models/{model_id}-{horizon}", f"rows/{model_id}-{horizon}.parquet"
        store(self._folder / folder, self._lake.get(member.artifact), found.description)
        served = loader_of(device)(str(self._folder / folder))
        needed = tail(served, found.known)
        said = float(served.learner.forecast(served.model, needed)[found.description.horizons.index(horizon)])
        if not np.isclose(said, member.y_hat, rtol=0.0, atol=TOLERANCE):
            raise JobError(
                f"from its package it says {said:.9g} and not {member.y_hat:.9g}",
                where=where,
                hint="report this as a bug",
            )
        _write_rows(self._folder / rows, needed)
        return PackagedMember(
            model_id=model_id, device=device, folder=folder, rows=rows, weight=member.weight, log_return=member.y_hat
        )

    def _dataset(self, name: str) -> Dataset:
        if name not in self._datasets:
            self._datasets[name] = load_dataset(self._lake, self._manifest.datasets[name])
        return self._datasets[name]


def tail(served: ServedModel, known: Dataset) -> Dataset:
    """Return the fewest rows from which a model forecasts what it does from all of them."""
    return known.last(len(known.sessions) - served.reach.start(known))


def _write_rows(file: Path, rows: Dataset) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    columns = {"session": pa.array(rows.sessions), "price": pa.array(rows.price)}
    columns |= {name: pa.array(rows.features[:, i]) for i, name in enumerate(rows.names)}
    pq.write_table(pa.table(columns), file)


def store_package(
    lake: Lake, forecast: ForecastReady, explained: ExplanationReady | None, only: Collection[Horizon] | None = None
) -> tuple[Package, LakeRef]:
    """Write a package into the lake, as one archive whose bytes follow from its content."""
    with TemporaryDirectory(prefix="cbi-package-") as folder:
        package = write_package(lake, forecast, explained, Path(folder), only)
        data = archive(Path(folder))
    return package, lake.put(f"package/{hashlib.sha256(data).hexdigest()}", data)
