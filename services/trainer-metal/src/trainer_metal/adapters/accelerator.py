"""Whether this machine has an accelerator, and whether it computes what a CPU computes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from cbi_common.timeseries.dataset import Floats
from trainer_metal.adapters.keras_fit import load_keras
from trainer_metal.domain.canary import STEPS, disagreement, problem
from trainer_metal.domain.placement import CPU, GPU


@dataclass(frozen=True)
class Placement:
    """Where to fit, and what a person must know about it."""

    accelerator: str
    tensorflow_device: str
    warnings: tuple[str, ...] = ()

    @property
    def precision(self) -> str:
        """Type of the numbers in a fit."""
        return "float32" if self.tensorflow_device == CPU else "mixed_float16"


def present() -> bool:
    """Return whether TensorFlow can reach an accelerator here, without the seconds that importing it takes."""
    return _installed("tensorflow-metal") or (_installed("tensorflow") and Path("/dev/nvidia0").exists())


def seen() -> bool:
    """Return whether TensorFlow sees an accelerator; asked for one that it does not see, it uses the CPU in silence."""
    _, tensorflow = load_keras()
    return bool(tensorflow.config.list_physical_devices("GPU"))


def place(
    present: Callable[[], bool] = present,
    seen: Callable[[], bool] = seen,
    solve: Callable[[str], Floats] | None = None,
) -> Placement:
    """Return the accelerator when it is present and agrees with the CPU on a known problem, else the CPU."""
    if not present():
        return Placement("cpu", CPU)
    if not seen():
        return _doubted("TensorFlow does not see it")
    run = solve or losses
    wrong = disagreement(trusted=run(CPU), doubted=run(GPU))
    return Placement("gpu", GPU) if wrong is None else _doubted(f"{wrong} of the canary")


def _doubted(why: str) -> Placement:
    return Placement("cpu", CPU, (f"the accelerator is not used: {why}; check its driver (docs/metal.md)",))


def losses(device: str) -> Floats:
    """Return the loss of each step of gradient descent on the known problem, computed on ``device``."""
    _, tensorflow = load_keras()
    x, y = problem()
    found = []
    with tensorflow.device(device):
        inputs, targets = (tensorflow.constant(a, tensorflow.float32) for a in (x, y[:, None]))
        weights = tensorflow.Variable(tensorflow.zeros((x.shape[1], 1)))
        for _ in range(STEPS):
            with tensorflow.GradientTape() as tape:
                loss = tensorflow.reduce_mean((tensorflow.tanh(inputs @ weights) - targets) ** 2)
            weights.assign_sub(0.5 * tape.gradient(loss, weights))
            found.append(float(loss))
    return np.array(found)


def _installed(name: str) -> bool:
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False
