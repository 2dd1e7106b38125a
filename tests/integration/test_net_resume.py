"""A net whose child process is killed in the middle of a fit goes on where it was and ends in the same bits."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from cbi_common.core.errors import DataError
from cbi_common.events.training import ModelTrained, TrainJobMetal
from cbi_common.runtime.training_service import Trainer
from cbi_common.testing.bench import bench, eventually
from cbi_common.testing.passes import forget_catalogue, one_pass, use_catalogue, write_catalogue
from cbi_common.testing.walks import random_dataset
from trainer_metal import jobs
from trainer_metal.adapters.checkpoints import Checkpoints, FitCheckpoints
from trainer_metal.domain.checkpoint import Checkpoint
from trainer_metal.environment import ENVIRONMENT

pytestmark = pytest.mark.proof
DATA = random_dataset(500, columns=3)
EPOCHS = 80
PARAMS = {"units": [8], "epochs": EPOCHS, "batch": 16, "learning_rate": 0.01, "l2": 0.001, "dropout": 0.3}
MODELS = {"net": {"learner": "dense", "params": PARAMS}}
TRAINER = Trainer("trainer-metal", "test_net_resume:train", TrainJobMetal, ENVIRONMENT)


def train(arg: dict[str, Any]) -> dict[str, Any]:
    """The trainer's job in a child process that saves after every epoch and notes who it is and where it begins."""
    use_catalogue()
    folder = Path(arg["checkpoints"])
    jobs.LOCK = folder.with_suffix(".lock")
    load = FitCheckpoints.load

    def noted(self: FitCheckpoints) -> Checkpoint | None:
        found = load(self)
        with folder.with_suffix(".log").open("a") as log:
            log.write(f"{0 if found is None else found.epochs} {os.getpid()}\n")
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FitCheckpoints, "load", noted)
        patch.setattr(jobs, "Checkpoints", partial(Checkpoints, every_s=0))
        return jobs.train(arg)


def fitting(folder: Path) -> tuple[int, int] | None:
    """The process that fits and the epochs that it has saved, once there are any."""
    with suppress(OSError, ValueError, DataError):
        pid = int(folder.with_suffix(".log").read_text().split()[1])
        (path,) = folder.glob("*.checkpoint")
        return pid, Checkpoint.from_bytes(path.read_bytes()).epochs
    return None


async def kill_in_the_middle(folder: Path) -> int:
    """Kill the job's child once it has saved an epoch; return the last epoch that it had saved for certain."""

    async def found() -> tuple[int, int] | None:
        return await asyncio.to_thread(fitting, folder)

    pid, epochs = await eventually(found, within_s=120)
    psutil.Process(pid).kill()
    return epochs


async def trained(folder: Path, *, killed: bool) -> tuple[ModelTrained, int]:
    kept = folder / "checkpoints"
    async with bench(folder, checkpoints=str(kept)) as stage:
        killing = asyncio.create_task(kill_in_the_middle(kept)) if killed else None
        told = await one_pass(stage, TRAINER, {"full": DATA}, refit=441)
        assert told.alerts == []
        assert fitting(kept) is None, "what is stored needs no checkpoint"
        return told.trained["net"], 0 if killing is None else await killing


@pytest.fixture
def catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    write_catalogue(tmp_path, MODELS)
    yield
    forget_catalogue()


@pytest.mark.usefixtures("catalogue")
def test_a_killed_fit_goes_on_and_ends_in_the_same_bits(tmp_path: Path) -> None:
    undisturbed, _ = asyncio.run(trained(tmp_path / "undisturbed", killed=False))
    disturbed, saved = asyncio.run(trained(tmp_path / "disturbed", killed=True))
    assert undisturbed.artifact is not None
    assert disturbed.artifact == undisturbed.artifact
    assert disturbed.predictions.sha256 == undisturbed.predictions.sha256
    begun = [line.split() for line in (tmp_path / "disturbed" / "checkpoints.log").read_text().splitlines()]
    (first, _), (again, _) = begun
    assert int(first) == 0
    assert 0 < saved <= int(again) < EPOCHS, "it went on, and there was something left to do"
