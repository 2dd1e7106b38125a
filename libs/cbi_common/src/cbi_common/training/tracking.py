"""What a trainer's child process shows of a finished pass in MLflow: scores, plots, the best models themselves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cbi_common.catalogue.spec import ModelSpec, load_catalogue
from cbi_common.core.errors import DataError, InfrastructureError, JobError
from cbi_common.core.horizon import Horizon
from cbi_common.events.base import LakeRef
from cbi_common.events.forecast import LiveMember, LiveMembers
from cbi_common.events.manifest import RunManifest
from cbi_common.events.training import ModelTrained
from cbi_common.markets.spec import Market
from cbi_common.storage.lake import Lake
from cbi_common.storage.markets import market_of
from cbi_common.storage.tracking.runs import TrackedModel, log_models
from cbi_common.storage.tracking.store import reached
from cbi_common.timeseries.dataset import Dataset
from cbi_common.training.challengers import challengers
from cbi_common.training.datasets import load_dataset
from cbi_common.training.live_model import live_model
from cbi_common.training.mlmodel import write_mlmodel
from cbi_common.training.plots import Record, forecast_plot, horizon_plot, residual_plot
from cbi_common.training.predictions import Predictions
from cbi_common.training.study import Study
from cbi_common.training.track_record import record_of, title_of

PAUSES_S = (1.0, 4.0)
"""Before the second and the third attempt: a database that another process holds is free again by then."""


def track(arg: Mapping[str, Any]) -> dict[str, Any]:
    """Log the models of a pass, with plots of those that learned something new, and register the best of a horizon.

    Drawn are models of which a fold was fitted in this pass, and the best ones; with one more day nearly all folds come
    from the cache, and a plot of the day before says the same.

    Parameters
    ----------
    arg : dict
        ``uri`` (of MLflow), ``lake`` (URL), ``manifest`` and ``members`` (LakeRef), ``suspect`` (ids of models),
        ``models`` (data of `ModelTrained`, of one trainer), ``loader`` (module that loads its models for MLflow) and
        ``environment`` (`Environment.identity`).

    Returns
    -------
    dict
        ``logged``: whether the store took them; ``message``: one line about it; ``warnings``: why a model that should
        be registered is not.

    Raises
    ------
    InfrastructureError
        When an object of the lake is missing or damaged.
    """
    lake = Lake(arg["lake"])
    manifest = RunManifest.model_validate(lake.get_json(LakeRef.model_validate(arg["manifest"])))
    live = LiveMembers.model_validate(lake.get_json(LakeRef.model_validate(arg["members"])))
    models = [ModelTrained.model_validate(model) for model in arg["models"]]
    uri = arg["uri"]
    # Before anything is drawn, which takes longer than all the rest.
    answer = _tried(lambda: reached(uri))
    if not answer["logged"]:
        return {**answer, "warnings": []}

    def scored(member: LiveMember, horizon: Horizon) -> Predictions:
        window = manifest.windows[horizon]
        return Predictions.get(lake, member.predictions).matured(window.start, window.end)

    best = challengers(live, scored, arg["suspect"])
    with TemporaryDirectory(prefix="cbi-tracking-") as scratch:
        show = _Pass(lake, manifest, Path(scratch), arg["loader"], arg["environment"], best)
        rows = show.rows(models)
        return {**_tried(lambda: log_models(uri, rows)), "warnings": show.warnings}


def _tried(call: Callable[[], str]) -> dict[str, Any]:
    for pause in (*PAUSES_S, None):
        try:
            return {"logged": True, "message": call()}
        except InfrastructureError as error:
            if pause is None:
                return {"logged": False, "message": f"models were not tracked: {error.line()}"}
            time.sleep(pause)
    raise AssertionError("the last attempt returns")


@dataclass(frozen=True)
class _Pass:
    lake: Lake
    manifest: RunManifest
    scratch: Path
    loader: str
    environment: Mapping[str, Any]
    best: Mapping[Horizon, str]
    warnings: list[str] = field(default_factory=list)

    def rows(self, models: Iterable[ModelTrained]) -> list[TrackedModel]:
        ordered = sorted(models, key=lambda model: (model.model_id, model.horizon.sessions))
        specs = groupby(ordered, lambda model: model.model_id)
        return [row for model_id, mine in specs for row in self._of_spec(load_catalogue().model(model_id), list(mine))]

    @cached_property
    def market(self) -> Market:
        return market_of(self.lake, self.manifest)

    def _of_spec(self, spec: ModelSpec, models: Sequence[ModelTrained]) -> list[TrackedModel]:
        chosen = [model for model in models if model.status == "trained" or self._is_best(model)]
        folders = {model.horizon: self._folder("plots", model) for model in chosen}
        if chosen:
            self._draw(spec, models, folders)
        served = {model.horizon: self._served(spec, models, model) for model in models if self._is_best(model)}
        return [self._row(spec, model, folders.get(model.horizon), served.get(model.horizon)) for model in models]

    def _is_best(self, model: ModelTrained) -> bool:
        return self.best.get(model.horizon) == model.model_id

    def _folder(self, kind: str, model: ModelTrained) -> Path:
        folder = self.scratch / kind / f"{model.model_id}-{model.horizon}"
        folder.mkdir(parents=True)
        return folder

    def _draw(self, spec: ModelSpec, models: Sequence[ModelTrained], folders: Mapping[Horizon, Path]) -> None:
        data = self._dataset(spec.dataset)
        tables = (Predictions.get(self.lake, model.predictions) for model in models)
        found = ((table.horizon, record_of(table, spec, self.manifest, self.market, data)) for table in tables)
        records: dict[Horizon, Record] = {horizon: record for horizon, record in found if record is not None}
        if not records:
            return
        by_horizon = horizon_plot(title_of(spec.id, self.manifest, self.market), list(records.values()))
        for horizon, folder in folders.items():
            (folder / "error_by_horizon.svg").write_bytes(by_horizon)
            if horizon in records:
                (folder / "forecast.svg").write_bytes(forecast_plot(records[horizon]))
                (folder / "residuals.svg").write_bytes(residual_plot(records[horizon]))

    def _served(self, spec: ModelSpec, models: Sequence[ModelTrained], model: ModelTrained) -> Path | None:
        try:
            return self._mlmodel(spec, models, model)
        except (JobError, DataError) as error:
            self.warnings.append(error.line())
            return None

    def _mlmodel(self, spec: ModelSpec, models: Sequence[ModelTrained], model: ModelTrained) -> Path:
        assert model.artifact is not None  # or it would not be the best
        table = Predictions.get(self.lake, model.predictions)
        found = live_model(
            spec,
            model.horizon,
            [m.horizon for m in models],
            self.manifest,
            self.market,
            self._dataset(spec.dataset),
            int(table.refit_sessions[-1]),
        )
        folder = self._folder("models", model)
        write_mlmodel(
            folder,
            self.lake.get(model.artifact),
            found.description,
            self.loader,
            found.known,
            float(table.y_hat[-1]),
            self._provenance(model),
        )
        return folder

    def _provenance(self, model: ModelTrained) -> dict[str, Any]:
        assert model.artifact is not None
        return {
            "run_id": self.manifest.run_id,
            "market": self.manifest.market,
            "as_of": self.manifest.as_of.isoformat(),
            "simulated": self.manifest.simulated,
            "artifact_sha256": model.artifact.sha256,
            "dataset_sha256": self.manifest.datasets[model.dataset].sha256,
            "environment": dict(self.environment),
        }

    def _dataset(self, name: str) -> Dataset:
        if name not in self._datasets:
            data = load_dataset(self.lake, self.manifest.datasets[name])
            self._datasets[name] = data.until(self.manifest.as_of_session)
        return self._datasets[name]

    @cached_property
    def _datasets(self) -> dict[str, Dataset]:
        return {}

    def _row(self, spec: ModelSpec, model: ModelTrained, plots: Path | None, served: Path | None) -> TrackedModel:
        costs = {"fit_seconds": model.fit_seconds, "peak_mb": model.peak_mb, "refits": float(model.refits)}
        return TrackedModel(
            run_id=self.manifest.run_id,
            market=self.manifest.market,
            as_of=self.manifest.as_of.isoformat(),
            family=model.family,
            model_id=model.model_id,
            horizon=str(model.horizon),
            dataset=model.dataset,
            dataset_sha256=self.manifest.datasets[model.dataset].sha256,
            params={**self._params(spec, model), "learner": spec.learner, "weights": spec.weights, "seed": spec.seed},
            metrics={**model.metrics.model_dump(), **costs},
            simulated=self.manifest.simulated,
            files=plots,
            model=served,
        )

    def _params(self, spec: ModelSpec, model: ModelTrained) -> Mapping[str, Any]:
        """What it was fitted with: profile full may have chosen other parameters than the catalogue's."""
        return spec.params if model.study is None else Study.model_validate(self.lake.get_json(model.study)).params
