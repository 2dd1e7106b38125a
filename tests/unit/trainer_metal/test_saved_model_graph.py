"""The graph of a SavedModel computes what the stored net computes, scaling and missing values included."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cbi_common.core.errors import JobError
from cbi_common.core.horizon import Horizon
from cbi_common.testing.walks import random_dataset
from cbi_common.timeseries.nets.dense import Network
from cbi_common.timeseries.nets.sequence import SequenceNetwork
from cbi_common.timeseries.scaling import inputs_of
from cbi_common.training.learner import validated
from trainer_metal.adapters import keras_fit, keras_sequence, saved_model
from trainer_metal.domain.architecture import SequenceParams

HORIZONS = (Horizon.W1, Horizon.M1)
DATA = random_dataset(400)
WINDOW = 12
INPUTS = inputs_of(DATA.until(300))
SEQUENCE = {"window": WINDOW, "epochs": 1, "batch": 16, "learning_rate": 0.01}


def dense() -> Network:
    rng = np.random.default_rng(0)
    sizes = [INPUTS.size, 6, 4, 2]
    layers = tuple((rng.normal(size=(a, b)), rng.normal(size=b)) for a, b in pairwise(sizes))
    return Network(HORIZONS, INPUTS, np.array([0.02, 0.05]), layers)


def sequence(kind: str, units: list[int]) -> SequenceNetwork:
    keras, _ = keras_fit.load_keras()
    settings = validated(SequenceParams, {**SEQUENCE, "kind": kind, "units": units}, "sequence")
    model, stages, layers = keras_sequence.build(keras, INPUTS.size, 2, settings)
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape, scale=0.7) for w in model.get_weights()])
    *taken, heads = keras_sequence.weights_of(layers)
    return SequenceNetwork(HORIZONS, INPUTS, WINDOW, stages, tuple(taken), (heads[0], heads[1]), np.array([0.02, 0.05]))


NETS: dict[str, Callable[[], saved_model.Net]] = {
    "dense": dense,
    "gru_attention": partial(sequence, "gru_attention", [4]),
    "cnn_lstm": partial(sequence, "cnn_lstm", [4, 3]),
    "tcn": partial(sequence, "tcn", [4]),
    "attention": partial(sequence, "attention", [4]),
}


def forward(net: saved_model.Net, session: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    view = net.inputs.of(DATA.until(session).last(WINDOW))
    return net.forward(view if isinstance(net, SequenceNetwork) else view[-1])


@pytest.mark.parametrize("name", NETS)
def test_the_graph_computes_what_the_net_computes(name: str, tmp_path: Path) -> None:
    net = NETS[name]()
    signature = saved_model.signature_of(net, "log_return")
    saved_model.save(net, signature, tmp_path / "model")
    early = DATA.until(150)
    assert np.isnan(early.features[:, 1]).sum() > 100, "a missing value is part of the comparison"
    for data in (early, DATA):
        rows = saved_model.rows_of(data, signature, 40)
        found = saved_model.served(tmp_path / "model", signature, rows)
        one_by_one = np.vstack([forward(net, int(session)) for session in data.sessions[-40:]])
        assert (saved_model.expected(net, data, 40) == one_by_one).all()
        assert np.abs(one_by_one).max() > 0.01
        assert saved_model.largest_difference(found, one_by_one) < 1e-6


def test_what_differs_is_refused_and_so_is_nothing_to_compare() -> None:
    wanted = np.zeros((3, 2))
    assert saved_model.largest_difference(wanted + 9e-6, wanted) == pytest.approx(9e-6)
    for off in (2e-5, np.nan):
        with pytest.raises(JobError, match="off by"):
            saved_model.largest_difference(wanted + off, wanted)
    with pytest.raises(JobError, match="no row to compare"):
        saved_model.largest_difference(wanted[:0], wanted[:0])


def test_the_signature_says_what_the_heads_give() -> None:
    dense_net, windowed = dense(), sequence("tcn", [4])
    signature = saved_model.signature_of(dense_net, "log_variance_ratio")
    assert signature.outputs == ("log_variance_ratio_1w", "log_variance_ratio_1m")
    assert (signature.input, signature.shape) == ("features", [None, len(INPUTS.names)])
    signature = saved_model.signature_of(windowed, "log_return")
    assert (signature.input, signature.shape) == ("windows", [None, WINDOW, len(INPUTS.names)])
