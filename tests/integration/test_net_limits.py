"""What a net cannot learn from, or may not take, ends as model.failed with the reason; the others are not harmed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cbi_common.events.training import TrainJobMetal
from cbi_common.runtime.training_service import Trainer
from cbi_common.testing.bench import bench
from cbi_common.testing.passes import Pass, forget_catalogue, one_pass, use_catalogue, write_catalogue
from cbi_common.testing.walks import random_dataset
from cbi_common.timeseries.dataset import Dataset
from trainer_metal import jobs
from trainer_metal.environment import ENVIRONMENT

REFIT = 441
DATA = random_dataset(500, columns=3)
DENSE = {"units": [4], "epochs": 1, "batch": 64, "learning_rate": 0.01, "l2": 0.0, "dropout": 0.0}
LSTM = {"kind": "lstm", "units": [4], "window": 12, "epochs": 1, "batch": 16, "learning_rate": 0.01}


def dense(dataset: str = "full", **changed: Any) -> dict[str, Any]:
    return {"learner": "dense", "dataset": dataset, "params": {**DENSE, **changed}}


def lstm(**changed: Any) -> dict[str, Any]:
    return {"learner": "sequence", "params": {**LSTM, **changed}}


MODELS = {
    "healthy": dense(),
    "diverging": dense(learning_rate=1e30),
    "constant": dense("constant"),
    "unknown": dense("unknown"),
    "short": dense("short"),
    "wide_batch": lstm(batch=65),
    "long_window": lstm(window=257),
    "too_many_epochs": dense(epochs=10_000),
    "endless": lstm(units=[256], window=256, epochs=200),
    "hungry": dense(units=[5]),
}
REASONS = {
    "diverging": "dense: the loss is not a number; lower its learning rate",
    "constant": "the price does not move over 1w; check the canonical price",
    "unknown": "dense: no feature varies; see `cbi quality`",
    "short": "rows have an outcome at 1w; 200 are needed",
    "wide_batch": "sequence: batch: Input should be less than or equal to 64; correct the catalogue",
    "long_window": "sequence: window: Input should be less than or equal to 256; correct the catalogue",
    "too_many_epochs": "dense: epochs: Input should be less than or equal to 200; correct the catalogue",
    "endless": "endless-1w: ran past its limit of 3 CPU seconds",
    "hungry": "MB of memory, the limit is 150; give it a smaller batch, window or width",
}


def train(arg: dict[str, Any]) -> dict[str, Any]:
    """The trainer's job in a child process, with the test's catalogue and, for one model, less memory."""
    use_catalogue()
    jobs.LOCK = Path(arg["checkpoints"]).with_suffix(".lock")
    if arg["job"]["model_id"] == "hungry":
        jobs.MEMORY_LIMIT_MB = 150
    return jobs.train(arg)


def datasets() -> dict[str, Dataset]:
    return {
        "full": DATA,
        "constant": replace(DATA, price=np.full(len(DATA.price), 50.0)),
        "unknown": replace(DATA, features=np.full(DATA.features.shape, np.nan)),
        "short": _late(DATA, REFIT - 60),
    }


def _late(data: Dataset, first: int) -> Dataset:
    return Dataset(data.sessions[first:], data.dates[first:], data.price[first:], data.features[first:], data.names)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pass]:
    folder = tmp_path_factory.mktemp("limits")
    trainer = Trainer("trainer-metal", "test_net_limits:train", TrainJobMetal, ENVIRONMENT)

    async def go() -> Pass:
        async with bench(folder, checkpoints=str(folder / "checkpoints")) as stage:
            return await one_pass(stage, trainer, datasets(), refit=REFIT, limits={"endless": 3})

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))
        write_catalogue(folder, MODELS)
        try:
            yield asyncio.run(go())
        finally:
            forget_catalogue()


@pytest.mark.parametrize("model", REASONS)
def test_what_cannot_be_trained_says_why_in_one_line(outcome: Pass, model: str) -> None:
    failure = outcome.failed[model]
    assert REASONS[model] in failure.error
    assert "\n" not in failure.error
    assert failure.horizon == "1w"


def test_the_rest_of_the_pass_is_not_harmed(outcome: Pass) -> None:
    assert sorted(outcome.failed) == sorted(REASONS)
    assert list(outcome.trained) == ["healthy"]
    assert outcome.trained["healthy"].status == "trained"
    assert outcome.trained["healthy"].refits == 1
    assert outcome.alerts == []
