import hashlib

import numpy as np
import pytest

from cbi_common.core.errors import DataError, JobError
from cbi_common.core.horizon import Horizon
from cbi_common.testing.walks import poisoned, random_dataset
from cbi_common.timeseries.nets.layers import causal_convolution, lstm, softmax
from cbi_common.timeseries.nets.sequence import SequenceNetwork
from cbi_common.timeseries.scaling import Inputs
from cbi_common.training import learner
from trainer_metal.adapters import keras_fit, keras_sequence
from trainer_metal.adapters.keras_sequence import SequenceNet
from trainer_metal.domain.architecture import LARGEST_BATCH, SequenceParams, stages_of
from trainer_metal.domain.windows import window_ends, windows_at

HORIZONS = (Horizon.W1, Horizon.M1)
UNITS = {
    "lstm": [4],
    "gru_attention": [4],
    "lstm2": [4, 3],
    "gru2": [4, 3],
    "tcn": [4, 4],
    "cnn_lstm": [4, 3],
    "attention": [4, 4],
}
PARAMS = {"window": 12, "stride": 3, "epochs": 2, "batch": 16, "learning_rate": 0.01, "l2": 0.001, "dropout": 0.2}
DATA = random_dataset(500)


def params(kind, **changed):
    return {**PARAMS, "kind": kind, "units": UNITS[kind], **changed}


def validated(given):
    return learner.validated(SequenceParams, given, "sequence")


def fit(kind="lstm", data=DATA, seed=1, refit=400, **changed):
    train = data.until(refit)
    return SequenceNet().fit(train, HORIZONS, params(kind, **changed), np.ones(len(train.sessions)), seed)


@pytest.mark.parametrize("kind", UNITS)
def test_the_net_computes_what_keras_computes(kind):
    keras, _ = keras_fit.load_keras()
    keras_fit.fresh(keras, 0, accelerated=False)
    settings = validated(params(kind))
    model, stages, layers = keras_sequence.build(keras, 5, 2, settings)
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape, scale=0.7) for w in model.get_weights()])
    *taken, heads = keras_sequence.weights_of(layers)
    none = Inputs((), np.empty(0), np.empty(0), ())
    net = SequenceNetwork(HORIZONS, none, 12, stages, tuple(taken), heads, np.ones(2))
    x = rng.normal(size=(4, 12, 5))
    expected = model(x.astype(np.float32), training=False).numpy()
    assert sum(a.size for part in (*taken, heads) for a in part) == model.count_params()
    assert np.vstack([net.forward(window) for window in x]) == pytest.approx(expected, abs=2e-5)
    again = SequenceNetwork.from_bytes(net.to_bytes())
    assert again.to_bytes() == net.to_bytes()
    assert again.forward(x[0]).tobytes() == net.forward(x[0]).tobytes()


@pytest.mark.proof
@pytest.mark.parametrize("kind", ["gru_attention", "tcn"])
def test_equal_rows_and_seed_give_equal_bits_and_what_comes_later_none(kind):
    artifact = fit(kind, epochs=1)
    assert fit(kind, poisoned(DATA, 400, "noise"), epochs=1) == artifact
    assert fit(kind, seed=2, epochs=1) != artifact


def test_a_forecast_depends_on_model_and_view_alone():
    artifact = fit("tcn")
    cutoffs = (400, 405, 499)
    first = [SequenceNet().forecast(SequenceNet().load(artifact), DATA.until(c)) for c in cutoffs]
    model = SequenceNet().load(artifact)
    second = [SequenceNet().forecast(model, DATA.until(c)) for c in cutoffs[::-1]]
    assert np.vstack(first).tobytes() == np.vstack(second[::-1]).tobytes()
    assert len({hashlib.sha256(f.tobytes()).hexdigest() for f in first}) == 3


def test_a_loss_that_is_no_number_fails_the_job():
    train = DATA.until(400)
    with pytest.raises(JobError, match="not a number"):
        SequenceNet().fit(train, HORIZONS, params("lstm"), np.full(len(train.sessions), np.inf), 1)


@pytest.mark.parametrize(
    ("kind", "changed", "named"),
    [
        *((kind, {"batch": most + 1}, "batch") for kind, most in LARGEST_BATCH.items()),
        ("attention", {"window": 257}, "window"),
        ("attention", {"units": [257]}, "units"),
        ("attention", {"heads": 5}, "heads"),
        ("attention", {"units": [5], "heads": 2}, "divide"),
        ("lstm2", {"units": [4]}, "takes 2 units"),
        ("bidirectional", {"units": [4]}, "kind"),
    ],
)
def test_what_the_machine_cannot_hold_is_refused_by_name(kind, changed, named):
    with pytest.raises(DataError, match=named):
        validated({**PARAMS, "kind": kind, "units": UNITS.get(kind, [4]), **changed})


def test_too_short_a_history_says_so():
    with pytest.raises(DataError, match="windows of 250 sessions"):
        fit(window=250, stride=60)
    with pytest.raises(DataError, match="fewer than 12 sessions"):
        SequenceNet().forecast(SequenceNet().load(fit(epochs=1)), DATA.until(5))


def test_windows_end_where_they_say():
    values = np.arange(20.0)[:, None]
    ends = window_ends(20, window=6, stride=4)
    assert ends.tolist() == [7, 11, 15, 19]
    found = windows_at(values, ends, 6)
    naive = np.stack([values[end - 5 : end + 1] for end in ends])
    assert found.dtype == np.float32
    assert (found == naive).all()


def test_no_layer_sees_a_later_step():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, 9, 3))
    y[:5] = x[:5]
    kernel, bias = rng.normal(size=(3, 3, 2)), rng.normal(size=2)
    for dilation in (1, 2):
        seen = [causal_convolution(z, kernel, bias, dilation)[:5] for z in (x, y)]
        assert (seen[0] == seen[1]).all()
    weights = rng.normal(size=(3, 8)), rng.normal(size=(2, 8)), rng.normal(size=8)
    assert (lstm(x, *weights)[:5] == lstm(y, *weights)[:5]).all()
    assert softmax(x, axis=1).sum(axis=1) == pytest.approx(np.ones(9))


def test_every_kind_has_its_stages():
    for kind in UNITS:
        assert stages_of(validated(params(kind)))
