"""What runs in a child process: one net through its walk-forward, alone on this machine's accelerator."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from cbi_common.training import job
from trainer_metal.adapters.accelerator import place
from trainer_metal.adapters.keras_dense import Dense
from trainer_metal.adapters.keras_sequence import SequenceNet
from trainer_metal.adapters.keras_volatility import DenseVolatility
from trainer_metal.environment import ENVIRONMENT

LOCK = Path(tempfile.gettempdir()) / "cbi-metal.lock"
"""One per machine: two stacks share the accelerator, whoever started them."""


def train(arg: dict[str, Any]) -> dict[str, Any]:
    """Train one job (see `cbi_common.training.job.train`).

    Returns
    -------
    dict
        ``models``: data of the `ModelTrained` events; ``warnings``: why an accelerator that is present was not used.
    """
    with FileLock(LOCK, mode=0o666):
        placement = place()
        environment = replace(ENVIRONMENT, accelerator=placement.accelerator, precision=placement.precision)
        device = placement.tensorflow_device
        learners = (Dense(device), SequenceNet(device), DenseVolatility(device))
        trained = job.train(arg, learners, environment)
    return {"models": [m.model_dump(mode="json") for m in trained], "warnings": list(placement.warnings)}
