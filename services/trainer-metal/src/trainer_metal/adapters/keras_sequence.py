"""Nets over a window of sessions, fitted by Keras: recurrent, convolutional and attention."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from cbi_common.core.errors import DataError
from cbi_common.core.horizon import Horizon
from cbi_common.timeseries.dataset import Dataset, Floats
from cbi_common.timeseries.nets.layers import LAYER_NORM_EPSILON, positions
from cbi_common.timeseries.nets.sequence import SequenceNetwork
from cbi_common.timeseries.nets.stage import Stage
from cbi_common.timeseries.scaling import inputs_of, target_scale
from cbi_common.training.learner import validated
from trainer_metal.adapters import keras_fit
from trainer_metal.adapters.checkpoints import Checkpoints
from trainer_metal.adapters.keras_batches import Samples
from trainer_metal.domain.architecture import SequenceParams, stages_of
from trainer_metal.domain.placement import CPU
from trainer_metal.domain.windows import window_ends, windows_at

Weights = tuple[tuple[Floats, ...], ...]
Built = tuple[Any, list[Any]]
"""What a stage gives, and its layers in the order in which `SequenceNetwork` takes their weights."""


class Regularity(Protocol):
    """What the layers of a net need to know beside their stage."""

    @property
    def window(self) -> int: ...

    @property
    def l2(self) -> float: ...

    @property
    def dropout(self) -> float: ...


FEED_FORWARD = 2
"""Width of an encoder's inner layer, in widths of the encoder."""


@dataclass(frozen=True)
class SequenceNet:
    """Learner of all horizons at once; its artifact is a `SequenceNetwork`, so a forecast needs no TensorFlow.

    Parameters
    ----------
    device : str
        TensorFlow's name of the device to fit on.
    checkpoints : Checkpoints, optional
        Of the job.
    """

    device: str = CPU
    checkpoints: Checkpoints | None = None
    name: str = "sequence"

    def fit(
        self, train: Dataset, horizons: Sequence[Horizon], params: Mapping[str, Any], weights: Floats, seed: int
    ) -> bytes:
        """Fit on windows that end at a row with an outcome (see `cbi_common.training.learner.Learner`)."""
        settings = validated(SequenceParams, params, self.name)
        targets = keras_fit.targets_of(train, horizons, weights)
        inputs = inputs_of(train, weights > 0)
        if not inputs.names:
            raise DataError("no feature varies", where=self.name, hint="see `cbi quality`")
        scale = np.array([target_scale(column) for column in targets.T])
        ends = window_ends(len(train.sessions), settings.window, settings.stride)
        ends = ends[np.isfinite(targets[ends]).any(axis=1) & (weights[ends] > 0)]
        if len(ends) < settings.batch:
            raise DataError(
                f"only {len(ends)} windows of {settings.window} sessions have an outcome",
                where=self.name,
                hint="give a longer history or a smaller stride",
            )
        keras, tensorflow = keras_fit.load_keras()
        keras_fit.fresh(keras, seed, accelerated=self.device != CPU)
        with tensorflow.device(self.device):
            model, stages, layers = build(keras, inputs.size, len(horizons), settings)
            samples = Samples(
                windows_at(inputs.of(train), ends, settings.window), (targets / scale)[ends], weights[ends]
            )
            course = keras_fit.Course(self.name, settings, seed, self.device, self.checkpoints)
            keras_fit.learn(model, samples, course)
        *taken, heads = weights_of(layers)
        return SequenceNetwork(
            tuple(horizons), inputs, settings.window, stages, tuple(taken), (heads[0], heads[1]), scale
        ).to_bytes()

    def load(self, artifact: bytes) -> SequenceNetwork:
        """Return the net that ``fit`` serialised."""
        return SequenceNetwork.from_bytes(artifact)

    def forecast(self, model: SequenceNetwork, view: Dataset) -> Floats:
        """Return the log return over each horizon, (n_horizons,).

        Raises
        ------
        DataError
            When the view holds fewer sessions than the window.
        """
        rows = view.last(model.window)
        if len(rows.sessions) < model.window:
            raise DataError(f"fewer than {model.window} sessions", where=self.name, hint="give a longer history")
        return model.forward(model.inputs.of(rows))


def build(
    keras: ModuleType, inputs: int, heads: int, settings: SequenceParams
) -> tuple[Any, tuple[Stage, ...], list[list[Any]]]:
    """Return the untrained net, its stages, and the layers of each stage with the heads' last."""
    stages = stages_of(settings)
    model, layers = assemble(keras, inputs, heads, stages, settings)
    return model, stages, layers


def assemble(
    keras: ModuleType, inputs: int, heads: int, stages: Sequence[Stage], settings: Regularity
) -> tuple[Any, list[list[Any]]]:
    """Return a net of these stages, and the layers of each stage with the heads' last."""
    given = x = keras.layers.Input((settings.window, inputs))
    found = []
    for stage in stages:
        x, layers = _BUILD[stage.kind](keras, x, stage, settings)
        found.append(layers)
    last = keras_fit.heads(keras, heads)
    x = last(keras.layers.Dropout(settings.dropout)(x))
    return keras.Model(given, x), [*found, [last]]


def weights_of(layers: list[list[Any]]) -> Weights:
    """Return the arrays of each stage in double precision."""
    return tuple(
        tuple(array.astype(np.float64) for layer in stage for array in layer.get_weights()) for stage in layers
    )


def _recurrent(kind: str) -> Callable[[ModuleType, Any, Stage, Regularity], Built]:
    def built(keras: ModuleType, x: Any, stage: Stage, settings: Regularity) -> Built:
        layer = getattr(keras.layers, kind)(
            stage.width, return_sequences=True, kernel_regularizer=keras.regularizers.L2(settings.l2)
        )
        return layer(x), [layer]

    return built


def _convolution(keras: ModuleType, stage: Stage, settings: Regularity) -> Any:
    return keras.layers.Conv1D(
        stage.width,
        stage.settings["kernel"],
        padding="causal",
        dilation_rate=stage.settings["dilation"],
        activation="relu",
        kernel_regularizer=keras.regularizers.L2(settings.l2),
    )


def _conv(keras: ModuleType, x: Any, stage: Stage, settings: Regularity) -> Built:
    layer = _convolution(keras, stage, settings)
    return layer(x), [layer]


def _residual_conv(keras: ModuleType, x: Any, stage: Stage, settings: Regularity) -> Built:
    inner, outer = _convolution(keras, stage, settings), _convolution(keras, stage, settings)
    around = keras.layers.Dense(stage.width)
    found = keras.layers.Add()([outer(keras.layers.SpatialDropout1D(settings.dropout)(inner(x))), around(x)])
    return found, [inner, outer, around]


def _position(keras: ModuleType, x: Any, stage: Stage, settings: Regularity) -> Built:
    layer = keras.layers.Dense(stage.width, kernel_regularizer=keras.regularizers.L2(settings.l2))
    return layer(x) + positions(settings.window, stage.width)[None].astype(np.float32), [layer]


def _encoder(keras: ModuleType, x: Any, stage: Stage, settings: Regularity) -> Built:
    layers = keras.layers
    mixing = layers.MultiHeadAttention(stage.settings["heads"], stage.width // stage.settings["heads"])
    first, second = (layers.LayerNormalization(epsilon=LAYER_NORM_EPSILON) for _ in range(2))
    inner, outer = layers.Dense(FEED_FORWARD * stage.width, activation="relu"), layers.Dense(stage.width)
    x = first(layers.Add()([x, layers.Dropout(settings.dropout)(mixing(x, x))]))
    x = second(layers.Add()([x, layers.Dropout(settings.dropout)(outer(inner(x)))]))
    return x, [mixing, first, inner, outer, second]


def _pool(keras: ModuleType, x: Any, stage: Stage, _: Regularity) -> Built:
    asked = keras.layers.Dense(stage.width, activation="tanh")
    score = keras.layers.Dense(1, use_bias=False)
    shares = keras.layers.Softmax(axis=1)(score(asked(x)))
    return keras.ops.sum(shares * x, axis=1), [asked, score]


_BUILD: dict[str, Callable[[ModuleType, Any, Stage, Regularity], Built]] = {
    "lstm": _recurrent("LSTM"),
    "gru": _recurrent("GRU"),
    "conv": _conv,
    "residual_conv": _residual_conv,
    "position": _position,
    "encoder": _encoder,
    "pool": _pool,
    "last": lambda _, x, *__: (x[:, -1], []),
    "mean": lambda keras, x, *__: (keras.ops.mean(x, axis=1), []),
}
