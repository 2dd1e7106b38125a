"""A dense net fitted by Keras."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from cbi_common.core.errors import DataError, JobError
from cbi_common.core.horizon import Horizon
from cbi_common.timeseries.dataset import Dataset, Floats
from cbi_common.training.lean_import import absent
from cbi_common.training.learner import labelled
from trainer_metal.domain.network import Network
from trainer_metal.domain.scaling import inputs_of, target_scale

LEAST_ROWS = 200
STEPS_PER_CALL = 16
"""Training steps in one call of the compiled graph: a small net spends more on the call than on the step."""


class Params(BaseModel):
    """Settings in the catalogue."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    units: tuple[int, ...] = Field(min_length=1)
    epochs: int = Field(ge=1)
    batch: int = Field(ge=1, le=64)
    learning_rate: float = Field(gt=0)
    l2: float = Field(ge=0)
    dropout: float = Field(ge=0, lt=1)


@dataclass(frozen=True)
class Dense:
    """Learner of all horizons at once; its artifact is a `Network`, so a forecast needs no TensorFlow.

    Parameters
    ----------
    device : str
        TensorFlow's name of the device to fit on.
    """

    device: str = "/CPU:0"
    name: str = "dense"

    def fit(
        self, train: Dataset, horizons: Sequence[Horizon], params: Mapping[str, Any], weights: Floats, seed: int
    ) -> bytes:
        """Fit on the rows with an outcome at any horizon (see `cbi_common.training.learner.Learner`)."""
        settings = Params.model_validate(params)
        targets = np.column_stack([labelled(train, horizon, LEAST_ROWS)[0] for horizon in horizons])
        inputs = inputs_of(train)
        if not inputs.names:
            raise DataError("no feature varies", where=self.name, hint="see `cbi quality`")
        scale = np.array([target_scale(column) for column in targets.T])
        rows = np.isfinite(targets).any(axis=1)
        fitted = _train(inputs.of(train)[rows], (targets / scale)[rows], weights[rows], settings, seed, self.device)
        layers = [(kernel.astype(np.float64), bias.astype(np.float64)) for kernel, bias in fitted]
        return Network(tuple(horizons), inputs, scale, tuple(layers)).to_bytes()

    def load(self, artifact: bytes) -> Network:
        """Return the net that ``fit`` serialised."""
        return Network.from_bytes(artifact)

    def forecast(self, model: Network, view: Dataset) -> Floats:
        """Return the log return over each horizon, (n_horizons,)."""
        return model.forward(model.inputs.of(view.last(1))[0])


def _train(x: Floats, y: Floats, weights: Floats, settings: Params, seed: int, device: str) -> list[tuple[Any, Any]]:
    """Return kernel and bias of each layer; the same arguments give the same bits."""
    keras, tensorflow = load_keras()
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    with tensorflow.device(device):
        model = _model(keras, x.shape[1], y.shape[1], settings)
        model.compile(
            optimizer=keras.optimizers.Adam(settings.learning_rate),
            loss=_masked(keras),
            jit_compile=False,
            steps_per_execution=STEPS_PER_CALL,
        )
        history = model.fit(
            x.astype(np.float32),
            y.astype(np.float32),
            sample_weight=weights.astype(np.float32),
            batch_size=settings.batch,
            epochs=settings.epochs,
            verbose=0,
        )
    if not np.isfinite(history.history["loss"]).all():
        raise JobError("the loss is not a number", where="dense", hint="lower its learning rate")
    return [tuple(layer.get_weights()) for layer in model.layers if layer.get_weights()]


def _model(keras: ModuleType, inputs: int, heads: int, settings: Params) -> Any:
    layers = keras.layers
    stack = [layers.Input((inputs,))]
    for units in settings.units:
        stack += [
            layers.Dense(units, activation="relu", kernel_regularizer=keras.regularizers.L2(settings.l2)),
            layers.Dropout(settings.dropout),
        ]
    # Heads start at no change, so that what the net has not learned it does not claim.
    return keras.Sequential([*stack, layers.Dense(heads, kernel_initializer="zeros")])


def _masked(keras: ModuleType) -> Any:
    """Return a Huber loss over the heads whose label has matured: its middle is the median, the point forecast."""
    ops = keras.ops

    def loss(y_true: Any, y_pred: Any) -> Any:
        known = ops.logical_not(ops.isnan(y_true))
        error = ops.abs(ops.where(known, y_true, y_pred) - y_pred)
        return ops.mean(ops.where(error < 1.0, 0.5 * error * error, error - 0.5), axis=-1)

    return loss


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
