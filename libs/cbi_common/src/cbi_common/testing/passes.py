"""A pass of one trainer through a real bus, on small data and a catalogue of the test's own."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any

from cbi_common.catalogue import spec
from cbi_common.catalogue.spec import load_catalogue
from cbi_common.core.identity import canonical_json
from cbi_common.events.data import DataExported
from cbi_common.events.monitoring import AlertRaised
from cbi_common.events.training import ModelFailed, ModelTrained, TrainingPlanned
from cbi_common.runtime.service import Service
from cbi_common.runtime.training_service import Trainer, TrainingHandlers
from cbi_common.runtime.workers import JobResult, Workers
from cbi_common.storage.lake import Lake
from cbi_common.testing.bench import Bench, eventually
from cbi_common.testing.walks import make_manifest, put_dataset
from cbi_common.timeseries.dataset import Dataset

CATALOGUE = "TEST_CATALOGUE"
"""Environment variable that tells a child process where the test's catalogue is."""

_PROFILE = "[profile.smoke]\nscored_periods = 12\nburn_in_periods = 14\nmin_train_sessions = 252\n"


def write_catalogue(folder: Path, models: Mapping[str, Mapping[str, Any]]) -> None:
    """Write a catalogue of nets at one week and make it the one that this process and its children read."""
    common = {"family": "simple_nets", "device": "metal", "joint": True, "horizons": ["1w"], "why": "It is tested."}
    entries = [{"id": name, **common, **fields} for name, fields in models.items()]
    text = _PROFILE + "".join(f"[[model]]\n{_lines(entry)}refit_every = {{ smoke = 1 }}\n" for entry in entries)
    (folder / "models.toml").write_text(text, encoding="utf-8")
    os.environ[CATALOGUE] = str(folder)
    use_catalogue()


def use_catalogue() -> None:
    """Read the test's catalogue instead of the one that ships."""
    folder = Path(os.environ[CATALOGUE])
    vars(spec)["files"] = lambda _: folder
    load_catalogue.cache_clear()


def forget_catalogue() -> None:
    """Read the catalogue that ships again."""
    os.environ.pop(CATALOGUE, None)
    vars(spec)["files"] = resources.files
    load_catalogue.cache_clear()


class Hurried(Workers):
    """Workers that allow some jobs fewer CPU seconds."""

    def __init__(self, workers: Workers, limits: Mapping[str, float]) -> None:
        super().__init__(workers.slots, 600)
        self._limits = dict(limits)

    async def run(
        self, entry: str, argument: dict[str, Any], *, cpu_limit_s: float | None = None, label: str = ""
    ) -> JobResult:
        limit = self._limits.get(label.partition("-")[0], cpu_limit_s)
        return await super().run(entry, argument, cpu_limit_s=limit, label=label)


@dataclass
class Pass:
    """One pass and what came of it.

    Attributes
    ----------
    trained, failed : by model
    alerts : what a person was told
    """

    trained: dict[str, ModelTrained] = field(default_factory=dict)
    failed: dict[str, ModelFailed] = field(default_factory=dict)
    alerts: list[str] = field(default_factory=list)


async def one_pass(
    stage: Bench,
    trainer: Trainer,
    data: Mapping[str, Dataset],
    *,
    refit: int,
    limits: Mapping[str, float] | None = None,
    within_s: float = 240,
) -> Pass:
    """Export ``data``, let ``trainer`` plan and train every model of the catalogue, and return what it published.

    Parameters
    ----------
    data : datasets by name, ``full`` among them
    refit : session of the only refit
    limits : CPU seconds of some models' jobs
    """
    lake, models = Lake(stage.settings.lake), tuple(m.id for m in load_catalogue().models)
    grid = make_manifest(lake, data["full"], models)[0].refits
    manifest, _ = make_manifest(lake, data["full"], models, tuple(r for r in grid if r.session == refit))
    manifest = manifest.model_copy(update={"datasets": {name: put_dataset(lake, d) for name, d in data.items()}})
    ref = lake.put_json(f"manifest/{manifest.run_id}", manifest.model_dump(mode="json"))
    await stage.start(_configured(trainer, limits or {}), name=trainer.service)
    export = DataExported(market="zl", as_of=manifest.as_of, run_id=manifest.run_id, manifest=ref)
    await stage.publish(export, "export")

    return await _outcome(stage, len(models), within_s)


def _configured(trainer: Trainer, limits: Mapping[str, float]) -> Callable[[Service], None]:
    def configure(service: Service) -> None:
        kit = replace(service.kit, workers=Hurried(service.kit.workers, limits))
        handlers = TrainingHandlers(kit, trainer)
        service.on(DataExported, handlers.plan, publishes=(TrainingPlanned, trainer.job_event))
        service.on(trainer.job_event, handlers.train, publishes=(ModelTrained, ModelFailed, AlertRaised), parallel=1)

    return configure


def _lines(entry: Mapping[str, Any]) -> str:
    return "".join(f"{name} = {_toml(value)}\n" for name, value in entry.items())


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{name} = {_toml(inner)}" for name, inner in value.items()) + " }"
    return canonical_json(value).decode()


async def _outcome(stage: Bench, models: int, within_s: float) -> Pass:
    kinds = [ModelTrained.subject, ModelFailed.subject, AlertRaised.subject]

    async def all_told() -> Pass | None:
        told = Pass()
        for event in await stage.journal.events(kinds):
            if isinstance(event.data, ModelTrained):
                told.trained[event.data.model_id] = event.data
            elif isinstance(event.data, ModelFailed):
                told.failed[event.data.model_id] = event.data
            else:
                told.alerts.append(event.data.what)
        return told if len(told.trained) + len(told.failed) == models else None

    return await eventually(all_told, within_s=within_s)
