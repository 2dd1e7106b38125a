"""What every net shares: Keras set to repeat itself, the loss, the fit and what ends it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cbi_common.core.errors import JobError
from cbi_common.core.horizon import Horizon
from cbi_common.timeseries.dataset import Dataset, Floats
from cbi_common.training.lean_import import absent
from cbi_common.training.learner import labelled

STEPS_PER_CALL = 16
"""Training steps in one call of the compiled graph: a small net spends more on the call than on the step."""

LEAST_ROWS = 200


class Schedule(Protocol):
    """How long and how fast a net learns."""

    @property
    def epochs(self) -> int: ...

    @property
    def batch(self) -> int: ...

    @property
    def learning_rate(self) -> float: ...


def targets_of(train: Dataset, horizons: Sequence[Horizon], weights: Floats) -> Floats:
    """Return the labels that had matured, (n, n_horizons) with NaN where one had not.

    Raises
    ------
    DataError
        When a horizon has too few of them.
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


def learn(
    model: Any,
    x: NDArray[np.float32],
    y: Floats,
    weights: Floats,
    schedule: Schedule,
    name: str,
    callbacks: Sequence[Any] = (),
) -> None:
    """Fit ``model`` to labels (n, n_horizons), NaN where one has not matured.

    Raises
    ------
    JobError
        When the loss is no number.
    """
    import keras

    model.compile(
        optimizer=keras.optimizers.Adam(schedule.learning_rate),
        loss=_masked(keras),
        jit_compile=False,
        steps_per_execution=STEPS_PER_CALL,
    )
    history = model.fit(
        x,
        y.astype(np.float32),
        sample_weight=weights.astype(np.float32),
        batch_size=schedule.batch,
        epochs=schedule.epochs,
        callbacks=[keras.callbacks.TerminateOnNaN(), *callbacks],
        verbose=0,
    )
    # With several steps in one call the callback may miss a NaN that the mean over the epoch keeps.
    learnt = all(np.isfinite(array).all() for array in model.get_weights())
    if not learnt or not np.isfinite(history.history["loss"]).all():
        raise JobError("the loss is not a number", where=name, hint="lower its learning rate")


def _masked(keras: ModuleType) -> Any:
    """Return a Huber loss over the heads whose label has matured: its middle is the median, the point forecast."""
    ops = keras.ops

    def loss(y_true: Any, y_pred: Any) -> Any:
        known = ops.logical_not(ops.isnan(y_true))
        error = ops.abs(ops.where(known, y_true, y_pred) - y_pred)
        return ops.mean(ops.where(error < 1.0, 0.5 * error * error, error - 0.5), axis=-1)

    return loss
