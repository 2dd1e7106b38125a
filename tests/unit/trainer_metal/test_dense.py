import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cbi_common.core.errors import DataError, JobError
from cbi_common.core.horizon import Horizon
from cbi_common.testing.walks import poisoned, random_dataset
from cbi_common.timeseries.nets.dense import Network
from cbi_common.timeseries.scaling import Inputs
from trainer_metal.adapters import keras_dense, keras_fit
from trainer_metal.adapters.accelerator import CPU, losses
from trainer_metal.adapters.keras_dense import Dense

HORIZONS = (Horizon.W1, Horizon.M1)
PARAMS = {"units": [6, 4], "epochs": 2, "batch": 32, "learning_rate": 0.01, "l2": 0.001, "dropout": 0.2}
DATA = random_dataset(500)


def fit(data=DATA, seed=1, refit=400, **params):
    train = data.until(refit)
    return Dense().fit(train, HORIZONS, {**PARAMS, **params}, np.ones(len(train.sessions)), seed)


@pytest.fixture(scope="module")
def another_process():
    code = (
        "import hashlib, sys; sys.path.insert(0, sys.argv[1])\n"
        "from test_dense import fit; print(hashlib.sha256(fit()).hexdigest())"
    )
    command = [sys.executable, "-c", code, str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        yield process


@pytest.fixture(scope="module")
def artifact(another_process):  # started first, so that both import TensorFlow at the same time
    return fit()


def test_another_process_fits_the_same_bits(artifact, another_process):
    said = another_process.stdout.read()
    assert said.strip().splitlines()[-1] == hashlib.sha256(artifact).hexdigest()


def test_what_was_fitted_before_in_the_process_does_not_matter(artifact):
    assert fit(seed=2) != artifact
    assert fit() == artifact


def test_what_comes_after_the_refit_does_not_reach_the_fit(artifact):
    assert fit(poisoned(DATA, 400, "noise")) == artifact


def test_a_forecast_depends_on_model_and_view_alone(artifact):
    model = Dense().load(artifact)
    together = [Dense().forecast(model, DATA.until(c)) for c in (400, 405, 499)]
    alone = [Dense().forecast(Dense().load(artifact), DATA.until(c)) for c in (499, 405, 400)]
    assert np.vstack(together).tobytes() == np.vstack(alone[::-1]).tobytes()
    assert np.isfinite(together).all()
    assert np.abs(together).max() > 0


def test_the_net_computes_what_keras_computes():
    keras, _ = keras_fit.load_keras()
    model = keras_dense.stack(keras, 7, 2, PARAMS["units"])
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    layers = tuple(tuple(layer.get_weights()) for layer in model.layers if layer.get_weights())
    net = Network(HORIZONS, Inputs((), np.empty(0), np.empty(0), ()), np.ones(2), layers)
    x = rng.normal(size=(5, 7))
    expected = model(x.astype(np.float32), training=False).numpy()
    assert np.vstack([net.forward(row) for row in x]) == pytest.approx(expected, abs=1e-4)


def test_a_head_without_a_label_costs_nothing():
    keras, _ = keras_fit.load_keras()
    loss = keras_fit._masked(keras)
    y = np.array([[0.5, np.nan], [3.0, -1.0]], dtype=np.float32)
    found = loss(keras.ops.convert_to_tensor(y), keras.ops.zeros((2, 2))).numpy()
    assert found == pytest.approx([(0.125 + 0) / 2, (2.5 + 0.5) / 2])


def test_a_loss_that_is_no_number_fails_the_job():
    with pytest.raises(JobError, match="loss is not a number"):
        fit(learning_rate=1e30, epochs=1)


def test_a_horizon_that_never_matured_is_a_data_error():
    with pytest.raises(DataError, match="only 149 rows have an outcome at 12m"):
        Dense().fit(DATA.until(400), (Horizon.W1, Horizon.M12), PARAMS, np.ones(401), 1)


def test_the_canary_computes_the_same_twice():
    first, second = losses(CPU), losses(CPU)
    assert np.array_equal(first, second)
    assert first[-1] < first[0] / 2
