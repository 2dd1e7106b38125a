"""A dense net fitted by Keras."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from cbi_common.core.errors import DataError
from cbi_common.core.horizon import Horizon
from cbi_common.timeseries.dataset import Dataset, Floats
from cbi_common.timeseries.nets.dense import Network
from cbi_common.timeseries.scaling import inputs_of, target_scale
from cbi_common.training.learner import validated
from trainer_metal.adapters import keras_fit
from trainer_metal.adapters.checkpoints import Checkpoints
from trainer_metal.adapters.keras_batches import Samples
from trainer_metal.domain.placement import CPU


class Params(BaseModel):
    """Settings in the catalogue."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    units: tuple[Annotated[int, Field(ge=1, le=1024)], ...] = Field(min_length=1, max_length=8)
    epochs: int = Field(ge=1, le=200)
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
    checkpoints : Checkpoints, optional
        Of the job.
    """

    device: str = CPU
    checkpoints: Checkpoints | None = None
    name: str = "dense"

    def fit(
        self, train: Dataset, horizons: Sequence[Horizon], params: Mapping[str, Any], weights: Floats, seed: int
    ) -> bytes:
        """Fit on the rows with an outcome at any horizon (see `cbi_common.training.learner.Learner`)."""
        settings = validated(Params, params, self.name)
        targets = keras_fit.targets_of(train, horizons, weights)
        inputs = inputs_of(train, weights > 0)
        if not inputs.names:
            raise DataError("no feature varies", where=self.name, hint="see `cbi quality`")
        scale = np.array([target_scale(column) for column in targets.T])
        rows = np.isfinite(targets).any(axis=1) & (weights > 0)
        fitted = self._train(inputs.of(train)[rows], (targets / scale)[rows], weights[rows], settings, seed)
        layers = [(kernel.astype(np.float64), bias.astype(np.float64)) for kernel, bias in fitted]
        return Network(tuple(horizons), inputs, scale, tuple(layers)).to_bytes()

    def load(self, artifact: bytes) -> Network:
        """Return the net that ``fit`` serialised."""
        return Network.from_bytes(artifact)

    def forecast(self, model: Network, view: Dataset) -> Floats:
        """Return the log return over each horizon, (n_horizons,)."""
        return model.forward(model.inputs.of(view.last(1))[0])

    def _train(self, x: Floats, y: Floats, weights: Floats, settings: Params, seed: int) -> list[tuple[Any, Any]]:
        """Return kernel and bias of each layer; the same arguments give the same bits."""
        keras, tensorflow = keras_fit.load_keras()
        keras_fit.fresh(keras, seed, accelerated=self.device != CPU)
        with tensorflow.device(self.device):
            model = stack(keras, x.shape[1], y.shape[1], settings.units, settings.l2, settings.dropout)
            course = keras_fit.Course(self.name, settings, seed, self.device, self.checkpoints)
            keras_fit.learn(model, Samples(x.astype(np.float32), y, weights), course)
        return [tuple(layer.get_weights()) for layer in model.layers if layer.get_weights()]


def stack(
    keras: ModuleType, inputs: int, heads: int, units: Sequence[int], l2: float = 0.0, dropout: float = 0.0
) -> Any:
    """Return the untrained net."""
    layers = keras.layers
    found = [layers.Input((inputs,))]
    for width in units:
        found += [
            layers.Dense(width, activation="relu", kernel_regularizer=keras.regularizers.L2(l2)),
            layers.Dropout(dropout),
        ]
    return keras.Sequential([*found, keras_fit.heads(keras, heads)])
