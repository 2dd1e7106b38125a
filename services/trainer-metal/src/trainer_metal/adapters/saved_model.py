"""A stored net as a TensorFlow SavedModel with a signature, in the units of its features."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from cbi_common.core.errors import JobError
from cbi_common.timeseries.dataset import Dataset, Floats
from cbi_common.timeseries.nets.dense import Network
from cbi_common.timeseries.nets.sequence import SequenceNetwork
from cbi_common.timeseries.scaling import CLIP, Inputs
from trainer_metal.adapters import keras_dense, keras_fit, keras_sequence
from trainer_metal.domain.placement import CPU

Net = Network | SequenceNetwork

SIGNATURE = "serving_default"
LARGEST_DIFFERENCE = 1e-5
"""Between the graph, in single precision, and the forward pass, in double: log return."""

NAMES_FILE = "features.json"
"""Beside the graph: which column each input is, for a signature knows shapes and no names of columns."""


@dataclass(frozen=True)
class Signature:
    """What the graph takes and gives.

    Attributes
    ----------
    input : its name: ``features`` (n, p), or ``windows`` (n, window, p), float64; NaN where a value is not known
    features : p columns, in order
    window : sessions in a window; None for a net that reads one
    outputs : names in the order of the heads, each (n,) float64
    """

    input: str
    features: tuple[str, ...]
    window: int | None
    outputs: tuple[str, ...]

    @property
    def shape(self) -> list[int | None]:
        """Shape of the input, None for the number of rows."""
        return [None, *([] if self.window is None else [self.window]), len(self.features)]


def signature_of(net: Net, quantity: str) -> Signature:
    """Return the signature of a net whose heads give ``quantity``: ``log_return_1w`` and so on."""
    window = net.window if isinstance(net, SequenceNetwork) else None
    name = "features" if window is None else "windows"
    return Signature(name, net.inputs.names, window, tuple(f"{quantity}_{h}" for h in net.horizons))


def save(net: Net, signature: Signature, folder: Path) -> None:
    """Write the SavedModel and ``features.json`` into ``folder``, which must not exist."""
    keras, tensorflow = keras_fit.load_keras()
    keras_fit.fresh(keras, 0, accelerated=False)
    with tensorflow.device(CPU):
        model = _keras_of(keras, net)
        spec = tensorflow.TensorSpec(signature.shape, tensorflow.float64, name=signature.input)

        def serve(**given: Any) -> dict[str, Any]:
            heads = model(_scaled(tensorflow, net.inputs, given[signature.input]), training=False)
            found = tensorflow.cast(heads, tensorflow.float64) * net.target_scale
            return {name: found[:, i] for i, name in enumerate(signature.outputs)}

        module = tensorflow.Module()
        module.net_variables = [variable.value for variable in model.variables]
        served = tensorflow.function(serve).get_concrete_function(**{signature.input: spec})
        tensorflow.saved_model.save(module, str(folder), signatures={SIGNATURE: served})
    names = {"input": signature.input, "features": list(signature.features), "outputs": list(signature.outputs)}
    (folder / NAMES_FILE).write_text(json.dumps(names, indent=1) + "\n", encoding="utf-8")


def served(folder: Path, signature: Signature, rows: Floats) -> Floats:
    """Return what the SavedModel in ``folder`` makes of ``rows``, (n, n_horizons)."""
    _, tensorflow = keras_fit.load_keras()
    with tensorflow.device(CPU):
        loaded = tensorflow.saved_model.load(str(folder))
        found = loaded.signatures[SIGNATURE](**{signature.input: tensorflow.constant(rows, tensorflow.float64)})
    return np.column_stack([found[name].numpy() for name in signature.outputs])


def rows_of(data: Dataset, signature: Signature, number: int) -> Floats:
    """Return the newest ``number`` rows of the input that the data hold."""
    span = signature.window or 1
    place = {name: i for i, name in enumerate(data.names)}
    values = data.features[:, [place[name] for name in signature.features]]
    ends = range(max(span, len(values) - number + 1), len(values) + 1)
    found = np.array([values[end - span : end] for end in ends])
    return found if signature.window else found[:, 0]


def expected(net: Net, data: Dataset, number: int) -> Floats:
    """Return what the forward pass in NumPy makes of the same rows, (n, n_horizons)."""
    x = net.inputs.of(data)
    span = net.window if isinstance(net, SequenceNetwork) else 1
    ends = range(max(span, len(x) - number + 1), len(x) + 1)
    given = (x[end - span : end] for end in ends)
    return np.array([net.forward(rows if isinstance(net, SequenceNetwork) else rows[0]) for rows in given])


def largest_difference(found: Floats, wanted: Floats) -> float:
    """Return the largest distance between the graph's answers and the forward pass's.

    Raises
    ------
    JobError
        When it is above ``LARGEST_DIFFERENCE``, or there is nothing to compare.
    """
    if not wanted.size:
        raise JobError("no row to compare on", where="SavedModel", hint="the data are shorter than the net's window")
    difference = float(np.max(np.abs(found - wanted)))
    if not difference <= LARGEST_DIFFERENCE:
        raise JobError(
            f"the graph is off by {difference:.2g} from the stored net, the limit is {LARGEST_DIFFERENCE:g}",
            where="SavedModel",
            hint="report this as a bug",
        )
    return difference


@dataclass(frozen=True)
class _Plain:
    """A net that learns no more."""

    window: int
    l2: float = 0.0
    dropout: float = 0.0


def _keras_of(keras: ModuleType, net: Net) -> Any:
    if isinstance(net, Network):
        *hidden, _ = net.layers
        model = keras_dense.stack(keras, net.inputs.size, len(net.horizons), [k.shape[1] for k, _ in hidden])
        model.set_weights([array for layer in net.layers for array in layer])
        return model
    model, layers = keras_sequence.assemble(keras, net.inputs.size, len(net.horizons), net.stages, _Plain(net.window))
    for stage, arrays in zip(layers, (*net.weights, net.heads), strict=True):
        _fill(stage, arrays)
    return model


def _fill(layers: Sequence[Any], arrays: Sequence[Floats]) -> None:
    given = iter(arrays)
    for layer in layers:
        layer.set_weights([next(given) for _ in layer.get_weights()])


def _scaled(tensorflow: ModuleType, inputs: Inputs, values: Any) -> Any:
    """`Inputs.of` as a graph."""
    unknown = tensorflow.math.is_nan(values)
    scaled = tensorflow.clip_by_value((values - inputs.centre) / inputs.scale, -CLIP, CLIP)
    flagged = np.array([inputs.names.index(name) for name in inputs.flagged], dtype=np.int64)
    flags = tensorflow.cast(tensorflow.gather(unknown, flagged, axis=-1), tensorflow.float64)
    known = tensorflow.where(unknown, tensorflow.zeros_like(scaled), scaled)
    return tensorflow.cast(tensorflow.concat([known, flags], axis=-1), tensorflow.float32)
