"""What a model of trainer-cpu cannot learn from ends as model.failed with the reason; the others are not harmed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cbi_common.events.training import TrainJobCpu
from cbi_common.runtime.training_service import Trainer
from cbi_common.testing.bench import bench
from cbi_common.testing.passes import Pass, forget_catalogue, one_pass, use_catalogue, write_catalogue
from cbi_common.testing.walks import random_dataset
from cbi_common.timeseries.dataset import Dataset
from trainer_cpu import jobs
from trainer_cpu.environment import ENVIRONMENT

REFIT = 441
DATA = random_dataset(500, columns=3)
TREES = {"num_trees": 5, "num_leaves": 4, "learning_rate": 0.1, "min_data_in_leaf": 20, "feature_fraction": 1.0}
TREES |= {"bagging_fraction": 1.0, "bagging_freq": 0, "lambda_l2": 0.0, "max_bin": 63}


def line(dataset: str) -> dict[str, Any]:
    return {"learner": "ridge", "dataset": dataset, "params": {"penalties": [1.0]}}


def trees(dataset: str = "full", **changed: Any) -> dict[str, Any]:
    return {"learner": "lightgbm", "dataset": dataset, "params": {**TREES, **changed}}


MODELS = {
    "healthy": trees(),
    "constant": trees("constant"),
    "unknown": trees("unknown"),
    "short": line("short"),
    "price_only": {"learner": "ets", "dataset": "short", "params": {}},
    "out_of_range": trees(num_leaves=1),
    "misspelt": trees(num_treees=5),
    "nobody_knows": {"learner": "oracle", "params": {}},
    "endless": trees(num_trees=10_000_000, num_leaves=60, min_data_in_leaf=1),
    "hungry": trees(num_trees=10_000_000, num_leaves=50, min_data_in_leaf=1),
}
REASONS = {
    "constant": "the price does not move over 1w; check the canonical price",
    "unknown": "lightgbm: no feature is left; see `cbi quality`",
    "short": "only 56 rows have an outcome at 1w; 200 are needed: give a longer history",
    "price_only": "ets: only 61 prices; 100 are needed",
    "out_of_range": "lightgbm: num_leaves: Input should be greater than or equal to 2; correct the catalogue",
    "misspelt": "lightgbm: num_treees: Extra inputs are not permitted; correct the catalogue",
    "nobody_knows": "nobody_knows: no learner 'oracle' on this device; correct the catalogue",
    "endless": "endless-1w: ran past its limit of 2 CPU seconds",
    "hungry": "MB of memory, the limit is 20; give it fewer columns or a shorter history",
}


def train(arg: dict[str, Any]) -> dict[str, Any]:
    """The trainer's job in a child process, with the test's catalogue and, for one model, less memory."""
    use_catalogue()
    if arg["job"]["model_id"] == "hungry":
        jobs.MEMORY_LIMIT_MB = 20
    return jobs.train(arg)


def datasets() -> dict[str, Dataset]:
    late = slice(REFIT - 60, None)
    return {
        "full": DATA,
        "constant": replace(DATA, price=np.full(len(DATA.price), 50.0)),
        "unknown": replace(DATA, features=np.full(DATA.features.shape, np.nan)),
        "short": Dataset(DATA.sessions[late], DATA.dates[late], DATA.price[late], DATA.features[late], DATA.names),
    }


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pass]:
    folder = tmp_path_factory.mktemp("limits")
    trainer = Trainer("trainer-cpu", "test_cpu_limits:train", TrainJobCpu, ENVIRONMENT)

    async def go() -> Pass:
        async with bench(folder) as stage:
            return await one_pass(stage, trainer, datasets(), refit=REFIT, limits={"endless": 2})

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))
        write_catalogue(folder, {name: {"device": "cpu", **fields} for name, fields in MODELS.items()})
        try:
            yield asyncio.run(go())
        finally:
            forget_catalogue()


@pytest.mark.parametrize("model", REASONS)
def test_what_cannot_be_trained_says_why_in_one_line(outcome: Pass, model: str) -> None:
    failure = outcome.failed[model]
    assert REASONS[model] in failure.error
    assert "\n" not in failure.error
    assert (failure.horizon, failure.device) == ("1w", "cpu")


def test_the_rest_of_the_pass_is_not_harmed(outcome: Pass) -> None:
    assert sorted(outcome.failed) == sorted(REASONS)
    assert list(outcome.trained) == ["healthy"]
    assert (outcome.trained["healthy"].status, outcome.trained["healthy"].refits) == ("trained", 1)
    assert outcome.alerts == []
