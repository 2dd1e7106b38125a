"""What every net shares: Keras set to repeat itself, the loss, the fit and what ends it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal, Protocol

import numpy as np

from cbi_common.core.errors import JobError
from cbi_common.core.horizon import Horizon
from cbi_common.core.identity import digest
from cbi_common.timeseries.dataset import Dataset, Floats
from cbi_common.training.lean_import import absent
from cbi_common.training.learner import labelled
from trainer_metal.adapters.checkpoints import Checkpoints, FitCheckpoints
from trainer_metal.adapters.keras_batches import Samples, batches
from trainer_metal.adapters.throttling import watch
from trainer_metal.domain.placement import CPU
from trainer_metal.environment import ENVIRONMENT

STEPS_PER_CALL = 16
"""Training steps in one call of the compiled graph: a small net spends more on the call than on the step."""

LEAST_ROWS = 200


class Settings(Protocol):
    """How long and how fast a net learns."""

    @property
    def epochs(self) -> int: ...

    @property
    def batch(self) -> int: ...

    @property
    def learning_rate(self) -> float: ...

    def model_dump(self, *, mode: Literal["json"]) -> dict[str, Any]: ...


def targets_of(train: Dataset, horizons: Sequence[Horizon], weights: Floats) -> Floats:
    """Return the labels that had matured, (n, n_horizons) with NaN where one had not.

    Raises
    ------
    DataError
        When a horizon has too few of them, or they are all no change.
    """
    return np.column_stack([labelled(train, horizon, weights, LEAST_ROWS)[0] for horizon in horizons])


def load_keras() -> tuple[ModuleType, ModuleType]:
    """Return Keras and TensorFlow, set to compute the same bits every time on one thread."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    with absent("sklearn", "pandas", "matplotlib"):
        import keras
        import tensorflow

    tensorflow.config.experimental.enable_op_determinism()
    tensorflow.config.threading.set_intra_op_parallelism_threads(1)
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    return keras, tensorflow


def fresh(keras: ModuleType, seed: int, *, accelerated: bool) -> None:
    """Forget every earlier net, and let all that is random in the next one follow from ``seed``.

    On an accelerator nets compute in half precision and keep their weights in single.
    """
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy("mixed_float16" if accelerated else "float32")


def heads(keras: ModuleType, number: int) -> Any:
    """Return the last layer: heads start at no change, so that what a net has not learned it does not claim."""
    return keras.layers.Dense(number, kernel_initializer="zeros", dtype="float32")


@dataclass(frozen=True)
class Course:
    """How a net learns.

    Attributes
    ----------
    learner : its name
    settings : of the catalogue
    seed : decides the order of the rows in each epoch; what else is random follows from `fresh`
    device : TensorFlow's name of the device
    checkpoints : of the job; None: a fit that is killed begins anew
    """

    learner: str
    settings: Settings
    seed: int
    device: str = CPU
    checkpoints: Checkpoints | None = None

    def identity(self, samples: Samples) -> str:
        """Return a digest of all that decides the fit."""
        settings = self.settings.model_dump(mode="json")
        return digest(ENVIRONMENT.identity(), self.device, self.learner, settings, self.seed, samples.digests())


def learn(model: Any, samples: Samples, course: Course) -> None:
    """Fit ``model``, from where a fit that was killed had come; the result is the same bit for bit.

    Raises
    ------
    JobError
        When the loss is no number.
    """
    import keras
    import tensorflow

    settings, variables = course.settings, model.variables
    model.compile(
        optimizer=keras.optimizers.Adam(settings.learning_rate),
        loss=_masked(keras),
        jit_compile=False,
        steps_per_execution=STEPS_PER_CALL,
    )
    model.optimizer.build(model.trainable_variables)
    kept = None if course.checkpoints is None else course.checkpoints.of_fit(lambda: course.identity(samples))
    state = [*variables, *model.optimizer.variables]
    first = 0 if kept is None else _resume(kept, state)
    epoch = tensorflow.Variable(first, dtype=tensorflow.int64)
    history = model.fit(
        batches(tensorflow, samples, settings.batch, course.seed, epoch),
        initial_epoch=first,
        epochs=settings.epochs,
        callbacks=[
            keras.callbacks.TerminateOnNaN(),
            keras.callbacks.LambdaCallback(on_epoch_begin=lambda number, _: epoch.assign(number)),
            *(watch(keras) if course.device != CPU else ()),
            *([] if kept is None else [_saving(keras, kept, state, settings.epochs)]),
        ],
        shuffle=False,
        verbose=0,
    )
    # With several steps in one call the callback may miss a NaN that the mean over the epoch keeps.
    learnt = all(np.isfinite(array).all() for array in model.get_weights())
    if not learnt or not np.isfinite(history.history["loss"]).all():
        raise JobError("the loss is not a number", where=course.learner, hint="lower its learning rate")


def _resume(kept: FitCheckpoints, state: Sequence[Any]) -> int:
    """Set the variables to where the fit was and return how many epochs it had done."""
    found = kept.load()
    if found is None:
        return 0
    for variable, array in zip(state, found.arrays, strict=True):
        variable.assign(array)
    return found.epochs


def _saving(keras: ModuleType, kept: FitCheckpoints, state: Sequence[Any], epochs: int) -> Any:
    def save(epoch: int, logs: Mapping[str, float]) -> None:
        done = epoch + 1
        # After the last epoch the fold is about to be stored; what follows a NaN is not worth keeping.
        if done < epochs and np.isfinite(logs["loss"]):
            kept.save(done, lambda: [variable.numpy() for variable in state])

    return keras.callbacks.LambdaCallback(on_epoch_end=save)


def _masked(keras: ModuleType) -> Any:
    """Return a Huber loss over the heads whose label has matured: its middle is the median, the point forecast."""
    ops = keras.ops

    def loss(y_true: Any, y_pred: Any) -> Any:
        known = ops.logical_not(ops.isnan(y_true))
        error = ops.abs(ops.where(known, y_true, y_pred) - y_pred)
        return ops.mean(ops.where(error < 1.0, 0.5 * error * error, error - 0.5), axis=-1)

    return loss
