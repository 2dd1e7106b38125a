"""A fit as on an accelerator, in half precision; where there is none TensorFlow computes it on the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cbi_common.core.horizon import Horizon
from cbi_common.testing.walks import random_dataset
from trainer_metal.adapters import keras_fit
from trainer_metal.adapters.checkpoints import Checkpoints, FitCheckpoints
from trainer_metal.adapters.keras_dense import Dense
from trainer_metal.adapters.keras_sequence import SequenceNet
from trainer_metal.domain.placement import CPU, GPU

pytestmark = pytest.mark.proof
HORIZONS = (Horizon.W1, Horizon.M1)
DATA = random_dataset(300)
COMMON = {"epochs": 2, "batch": 16, "learning_rate": 0.01, "l2": 0.001, "dropout": 0.3}
NETS: dict[str, tuple[type[Dense | SequenceNet], dict[str, Any]]] = {
    "dense": (Dense, {**COMMON, "units": [6]}),
    "lstm": (SequenceNet, {**COMMON, "kind": "lstm", "units": [4], "window": 12, "stride": 4}),
}


class Fits:
    """The nets that were fitted, and the epochs of each that were watched for throttling."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.models: list[Any] = []
        self.watched: list[list[int]] = []
        self._learn = keras_fit.learn
        monkeypatch.setattr(keras_fit, "learn", self._noted)
        monkeypatch.setattr(keras_fit, "watch", self._watch)

    def _noted(self, model: Any, samples: Any, course: keras_fit.Course) -> None:
        self.watched.append([])
        self._learn(model, samples, course)
        self.models.append(model)

    def _watch(self, keras: Any) -> tuple[Any, ...]:
        return (keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, _: self.watched[-1].append(epoch)),)


def fit(net: str, device: str, kept: Checkpoints | None = None) -> bytes:
    learner, params = NETS[net]
    return learner(device, kept).fit(DATA, HORIZONS, params, np.ones(len(DATA.sessions)), 1)


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fits]:
    yield Fits(monkeypatch)
    keras, _ = keras_fit.load_keras()
    keras_fit.fresh(keras, 0, accelerated=False)


@pytest.mark.parametrize("net", NETS)
def test_only_on_an_accelerator_a_fit_is_in_half_precision_and_watched(net: str, fits: Fits) -> None:
    single, half = fit(net, CPU), fit(net, GPU)
    assert half != single
    computed = [{layer.compute_dtype for layer in model.layers if layer.get_weights()} for model in fits.models]
    assert computed == [{"float32"}, {"float16", "float32"}]
    model = fits.models[1]
    assert {weight.dtype for weight in model.weights} == {"float32"}, "what is learned is kept in single"
    assert model.layers[-1].compute_dtype == "float32", "and so are the heads"
    assert type(model.optimizer).__name__ == "LossScaleOptimizer", "small gradients would be zero in half precision"
    assert fits.watched == [[], [0, 1]]


def test_a_fit_in_half_precision_resumes_with_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    undisturbed = fit("dense", GPU)
    kept = Checkpoints(tmp_path, "job", every_s=0)
    save = FitCheckpoints.save

    def killed(self: FitCheckpoints, done: int, state: Any) -> None:
        save(self, done, state)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(FitCheckpoints, "save", killed)
        with pytest.raises(KeyboardInterrupt):
            fit("dense", GPU, kept)
    assert len(kept.own()) == 1
    assert fit("dense", GPU, kept) == undisturbed
    assert kept.warnings == []
