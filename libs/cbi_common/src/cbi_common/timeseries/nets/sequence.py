"""A trained sequence net: its stages and weights, its bytes, its forward pass."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from cbi_common.core.horizon import Horizon
from cbi_common.timeseries.dataset import Floats
from cbi_common.timeseries.nets import layers
from cbi_common.timeseries.nets.stage import Stage
from cbi_common.timeseries.scaling import Inputs

Arrays = tuple[Floats, ...]


@dataclass(frozen=True)
class SequenceNetwork:
    """Stages over a window of sessions, with one linear head per horizon.

    Attributes
    ----------
    horizons : of the heads
    inputs : what the net reads of each session
    window : sessions
    stages : from the window to the heads
    weights : arrays of each stage, as Keras lays them out
    heads : kernel (n, n_horizons) and bias (n_horizons,)
    target_scale : (n_horizons,) float64
        Standard deviation that a head's 1 stands for, as log return.
    """

    horizons: tuple[Horizon, ...]
    inputs: Inputs
    window: int
    stages: tuple[Stage, ...]
    weights: tuple[Arrays, ...]
    heads: tuple[Floats, Floats]
    target_scale: Floats

    def forward(self, x: Floats) -> Floats:
        """Return the log return over each horizon, (n_horizons,), for one window of inputs (window, n_inputs)."""
        for stage, arrays in zip(self.stages, self.weights, strict=True):
            x = _FORWARD[stage.kind](x, stage, arrays)
        return layers.linear(x, *self.heads) * self.target_scale

    def to_bytes(self) -> bytes:
        """Serialise as a NumPy archive without pickled objects; equal nets give equal bytes."""
        config = {
            "horizons": list(self.horizons),
            "names": list(self.inputs.names),
            "flagged": list(self.inputs.flagged),
            "window": self.window,
            "stages": [asdict(stage) for stage in self.stages],
            "arrays": [len(arrays) for arrays in self.weights],
        }
        stored = {"centre": self.inputs.centre, "scale": self.inputs.scale, "target_scale": self.target_scale}
        stored |= {"head_kernel": self.heads[0], "head_bias": self.heads[1]}
        stored |= {f"stage_{i}_{j}": a for i, arrays in enumerate(self.weights) for j, a in enumerate(arrays)}
        buffer = io.BytesIO()
        np.savez(buffer, config=np.array(json.dumps(config)), **stored)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, artifact: bytes) -> SequenceNetwork:
        """Return the net that `to_bytes` serialised."""
        with np.load(io.BytesIO(artifact), allow_pickle=False) as stored:
            config = json.loads(str(stored["config"]))
            return cls(
                horizons=tuple(Horizon(h) for h in config["horizons"]),
                inputs=Inputs(tuple(config["names"]), stored["centre"], stored["scale"], tuple(config["flagged"])),
                window=config["window"],
                stages=tuple(Stage(**stage) for stage in config["stages"]),
                weights=tuple(
                    tuple(stored[f"stage_{i}_{j}"] for j in range(count)) for i, count in enumerate(config["arrays"])
                ),
                heads=(stored["head_kernel"], stored["head_bias"]),
                target_scale=stored["target_scale"],
            )


def _residual_convolution(x: Floats, stage: Stage, arrays: Sequence[Floats]) -> Floats:
    dilation = stage.settings["dilation"]
    inner = np.maximum(layers.causal_convolution(x, arrays[0], arrays[1], dilation), 0.0)
    outer = np.maximum(layers.causal_convolution(inner, arrays[2], arrays[3], dilation), 0.0)
    return outer + layers.linear(x, arrays[4], arrays[5])


def _encoder(x: Floats, _: Stage, arrays: Sequence[Floats]) -> Floats:
    mixed = layers.self_attention(x, *arrays[:6])
    told = np.sum(mixed[..., None] * arrays[6], axis=(1, 2)) + arrays[7]
    x = layers.layer_norm(x + told, arrays[8], arrays[9])
    inner = np.maximum(layers.linear(x, arrays[10], arrays[11]), 0.0)
    return layers.layer_norm(x + layers.linear(inner, arrays[12], arrays[13]), arrays[14], arrays[15])


def _pool(x: Floats, _: Stage, arrays: Sequence[Floats]) -> Floats:
    scores = np.sum(np.tanh(layers.linear(x, arrays[0], arrays[1])) * arrays[2][:, 0], axis=1)
    found: Floats = np.sum(layers.softmax(scores, axis=0)[:, None] * x, axis=0)
    return found


def _convolution(x: Floats, stage: Stage, arrays: Sequence[Floats]) -> Floats:
    return np.maximum(layers.causal_convolution(x, arrays[0], arrays[1], stage.settings["dilation"]), 0.0)


_FORWARD: dict[str, Callable[[Floats, Stage, Sequence[Floats]], Floats]] = {
    "lstm": lambda x, _, arrays: layers.lstm(x, *arrays),
    "gru": lambda x, _, arrays: layers.gru(x, *arrays),
    "conv": _convolution,
    "residual_conv": _residual_convolution,
    "position": lambda x, stage, arrays: layers.linear(x, *arrays) + layers.positions(len(x), stage.width),
    "encoder": _encoder,
    "pool": _pool,
    "last": lambda x, *_: x[-1],
    "mean": lambda x, *_: x.mean(axis=0),
}
