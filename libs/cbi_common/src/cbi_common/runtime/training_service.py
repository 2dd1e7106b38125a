"""What both trainers do with an event; only the device and the learners differ."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

from cbi_common.catalogue.spec import ModelSpec, load_catalogue
from cbi_common.core.errors import CbiError, ContractError, DataError, JobError, UsageError
from cbi_common.core.identity import digest
from cbi_common.events.base import Envelope, LakeRef
from cbi_common.events.data import DataExported
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.manifest import RunManifest
from cbi_common.events.monitoring import AlertRaised
from cbi_common.events.training import ModelFailed, ModelTrained, TrainingPlanned, TrainJobCpu
from cbi_common.runtime import telemetry
from cbi_common.runtime.service import Kit, Outgoing
from cbi_common.runtime.supersession import Supersession
from cbi_common.training.environment import Environment
from cbi_common.training.plan import job_id, job_key, plan
from cbi_common.training.result import TrainingResult


@dataclass(frozen=True)
class Trainer:
    """What makes one trainer.

    Attributes
    ----------
    service : its name
    entry : ``package.module:function`` of its job
    job_event : event that carries its jobs
    environment : where it fits
    """

    service: str
    entry: str
    job_event: type[TrainJobCpu]
    environment: Environment

    @property
    def loader(self) -> str:
        """Module of the service that loads its models for MLflow."""
        package = self.entry.partition(":")[0].partition(".")[0]
        return f"{package}.mlflow_model"


class TrainingHandlers:
    """Plan the jobs of an export, and train them one by one."""

    def __init__(self, kit: Kit, trainer: Trainer) -> None:
        self._lake, self._workers, self._trainer = kit.lake, kit.workers, trainer
        self._clock = kit.clock
        self._supersession = Supersession(kit.state, trainer.service, kit.settings.superseded_after_s)
        self._tracking, self._checkpoints = kit.settings.tracking_uri, kit.settings.checkpoints_dir
        self._in_work: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._count_folds([])

    async def plan(self, event: Envelope[DataExported]) -> Sequence[Outgoing]:
        """Announce and queue this device's jobs of a complete export; an incomplete one is ingest's to complete."""
        ref = event.data.manifest
        if ref is None:
            return []
        manifest = self._manifest(ref)
        await self._supersession.note(event, manifest)
        device = self._trainer.environment.device
        jobs = plan(manifest, load_catalogue(), device)
        run = {"market": manifest.market, "run_id": manifest.run_id}
        planned = TrainingPlanned(**run, device=device, jobs=tuple(jobs))
        queued = [(self._trainer.job_event(**run, manifest=ref, job=job), job_id(job)) for job in jobs]
        # Both trainers plan on one cause: the device keeps their events apart.
        return [Outgoing(planned, discriminator=device), *(Outgoing(job, discriminator=name) for job, name in queued)]

    async def train(self, event: Envelope[TrainJobCpu]) -> Sequence[Outgoing]:
        """Train one job, or tell again what is known of it.

        A job that its data or its own failure stopped ends as ``model.failed`` and the run goes on without the model;
        an error of the machine or the bus is raised, so that the message is delivered again. So does one that waited
        for hours while a later day was exported: its run is no longer of use.

        Raises
        ------
        ContractError
            For a model that the catalogue does not have.
        """
        spec = _spec(event.data)
        manifest = self._manifest(event.data.manifest)
        key = job_key(manifest, event.data.job, spec.dataset, self._trainer.environment)
        async with self._in_work.setdefault(key, asyncio.Lock()):
            stored = TrainingResult.find(self._lake, key)
            if stored is not None:
                return _told(stored.served_to(event.id, manifest.run_id))
            later = await self._supersession.by(event, manifest, self._clock())
            if later is not None:
                return self._failed(event.data, spec, f"superseded: it waited until {later} had been exported")
            try:
                return await self._fit(event, spec, key)
            except (JobError, DataError) as error:
                return self._failed(event.data, spec, error.line())

    async def track(self, event: Envelope[ForecastReady]) -> Sequence[Outgoing]:
        """Show this device's models of a finished run in MLflow, once; trouble there is an alert and stops nothing."""
        if self._tracking is None or event.data.provisional:
            return []
        try:
            warnings = await self._tracked(event.data, self._tracking)
        except CbiError as error:
            warnings = [error.line()]
        return self._alerts(event.data.market, "track", warnings)

    async def _tracked(self, forecast: ForecastReady, uri: str) -> Sequence[str]:
        """Return what went wrong; what was not tracked is tried again when the run is made again."""
        results = self._results(self._manifest(forecast.manifest))
        key = f"tracked/{digest(uri, forecast.run_id, sorted(results))}"
        if not results or self._lake.find(key) is not None:
            return []
        argument = {
            "uri": uri,
            "lake": self._lake.url,
            "manifest": forecast.manifest.model_dump(mode="json"),
            "members": forecast.members.model_dump(mode="json"),
            "suspect": sorted(forecast.suspect),
            "models": [model.model_dump(mode="json") for result in results.values() for model in result.models],
            "loader": self._trainer.loader,
            "environment": self._trainer.environment.identity(),
        }
        done = await self._workers.behind.run("cbi_common.training.tracking:track", argument, label="MLflow")
        if not done.value["logged"]:
            return [done.value["message"]]
        self._lake.put_json(key, done.value)
        return list(done.value["warnings"])

    def _results(self, manifest: RunManifest) -> dict[str, TrainingResult]:
        catalogue, environment = load_catalogue(), self._trainer.environment
        jobs = plan(manifest, catalogue, environment.device)
        keys = [job_key(manifest, job, catalogue.model(job.model_id).dataset, environment) for job in jobs]
        found = {key: TrainingResult.find(self._lake, key) for key in keys}
        return {key: result for key, result in found.items() if result is not None}

    async def _fit(self, event: Envelope[TrainJobCpu], spec: ModelSpec, key: str) -> Sequence[Outgoing]:
        job = event.data.job
        if spec.sha256 != job.spec_sha256:
            raise JobError("planned with another catalogue", where=job.model_id, hint="install one version everywhere")
        argument: dict[str, Any] = {
            "lake": self._lake.url,
            "manifest": event.data.manifest.model_dump(mode="json"),
            "job": job.model_dump(mode="json"),
            "key": key,
            "checkpoints": str(self._checkpoints),
        }
        done = await self._workers.run(self._trainer.entry, argument, label=job_id(job))
        models = [ModelTrained.model_validate(model) for model in done.value["models"]]
        self._count_folds(models)
        result = TrainingResult(event.id, tuple(m.model_copy(update={"peak_mb": done.peak_mb}) for m in models))
        result.put(self._lake, key)
        return [*_told(result.models), *self._alerts(event.data.market, "train", done.value["warnings"])]

    def _count_folds(self, models: Sequence[ModelTrained]) -> None:
        device, cached = self._trainer.environment.device, sum(model.cached_folds for model in models)
        telemetry.FOLDS.labels(device, "cached").inc(cached)
        telemetry.FOLDS.labels(device, "fitted").inc(sum(model.refits for model in models) - cached)

    def _failed(self, data: TrainJobCpu, spec: ModelSpec, error: str) -> Sequence[Outgoing]:
        failures = [
            ModelFailed(
                market=data.market,
                run_id=data.run_id,
                model_id=spec.id,
                family=spec.family,
                horizon=horizon,
                device=self._trainer.environment.device,
                dataset=spec.dataset,
                error=error,
            )
            for horizon in data.job.horizons
        ]
        return [Outgoing(failure, discriminator=failure.horizon) for failure in failures]

    def _alerts(self, market: str, handler: str, warnings: Sequence[str]) -> Sequence[Outgoing]:
        source = f"{self._trainer.service}--{handler}"
        alerts = [AlertRaised(market=market, severity="warning", source=source, what=what) for what in warnings]
        return [Outgoing(alert, discriminator=alert.what) for alert in alerts]

    def _manifest(self, ref: LakeRef) -> RunManifest:
        return RunManifest.model_validate(self._lake.get_json(ref))


def _spec(data: TrainJobCpu) -> ModelSpec:
    try:
        return load_catalogue().model(data.job.model_id)
    except UsageError as error:
        raise ContractError(error.what, where=data.subject, hint=error.hint) from error


def _told(models: Sequence[ModelTrained]) -> list[Outgoing]:
    return [Outgoing(model, discriminator=model.horizon) for model in models]
