"""A trained dense net: its weights, its bytes, its forward pass."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass

import numpy as np

from cbi_common.core.horizon import Horizon
from cbi_common.timeseries.dataset import Floats
from cbi_common.timeseries.scaling import Inputs


@dataclass(frozen=True)
class Network:
    """Rectified dense layers with one linear head per horizon.

    Attributes
    ----------
    horizons : of the heads
    inputs : what the net reads
    target_scale : (n_horizons,) float64
        Standard deviation that a head's 1 stands for, as log return.
    layers : kernel (n_in, n_out) and bias (n_out,) of each layer, heads last
    """

    horizons: tuple[Horizon, ...]
    inputs: Inputs
    target_scale: Floats
    layers: tuple[tuple[Floats, Floats], ...]

    def forward(self, x: Floats) -> Floats:
        """Return the log return over each horizon, (n_horizons,), for one row of inputs (n_inputs,).

        Sums run down the rows of a kernel in a fixed order, which a matrix library does not promise: the result is the
        same bit for bit on every machine and whatever else is predicted.
        """
        *hidden, heads = self.layers
        for layer in hidden:
            x = np.maximum(_linear(x, *layer), 0.0)
        return _linear(x, *heads) * self.target_scale

    def to_bytes(self) -> bytes:
        """Serialise as a NumPy archive without pickled objects; equal nets give equal bytes."""
        config = {
            "horizons": list(self.horizons),
            "names": list(self.inputs.names),
            "flagged": list(self.inputs.flagged),
            "layers": len(self.layers),
        }
        arrays = {"centre": self.inputs.centre, "scale": self.inputs.scale, "target_scale": self.target_scale}
        for i, (kernel, bias) in enumerate(self.layers):
            arrays |= {f"kernel_{i}": kernel, f"bias_{i}": bias}
        buffer = io.BytesIO()
        np.savez(buffer, config=np.array(json.dumps(config)), **arrays)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, artifact: bytes) -> Network:
        """Return the net that `to_bytes` serialised."""
        with np.load(io.BytesIO(artifact), allow_pickle=False) as archive:
            config = json.loads(str(archive["config"]))
            layers = [(archive[f"kernel_{i}"], archive[f"bias_{i}"]) for i in range(config["layers"])]
            inputs = Inputs(tuple(config["names"]), archive["centre"], archive["scale"], tuple(config["flagged"]))
            horizons = tuple(Horizon(h) for h in config["horizons"])
            return cls(horizons, inputs, archive["target_scale"], tuple(layers))


def _linear(x: Floats, kernel: Floats, bias: Floats) -> Floats:
    found: Floats = np.sum(x[:, None] * kernel, axis=0) + bias
    return found
