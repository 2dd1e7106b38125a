from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cbi_common.core.horizon import Horizon
from cbi_common.testing.walks import poisoned, random_dataset
from cbi_common.timeseries.nets.dense import Network
from cbi_common.timeseries.scaling import CLIP, Inputs, inputs_of, target_scale

DATA = random_dataset(400, columns=4)


def test_training_rows_end_up_centred_with_unit_deviation():
    inputs = inputs_of(DATA)
    x = inputs.of(DATA)
    known = np.isfinite(DATA.features)
    for i in range(4):
        column = x[known[:, i], i]
        assert np.mean(column) == pytest.approx(0, abs=0.01)
        assert np.std(column) == pytest.approx(1, abs=0.02)


def test_a_missing_value_is_zero_and_flagged():
    inputs = inputs_of(DATA)
    assert inputs.flagged == ("x1",)
    assert inputs.size == 5
    x = inputs.of(DATA)
    missing = np.isnan(DATA.features[:, 1])
    assert (x[missing, 1] == 0).all()
    assert np.array_equal(x[:, 4] == 1, missing)


@pytest.mark.parametrize("how", ["noise", "delete", "append"])
def test_rows_after_the_refit_do_not_scale(how):
    clean, other = (inputs_of(data.until(300)) for data in (DATA, poisoned(DATA, 300, how)))
    assert clean.names == other.names
    assert clean.centre.tobytes() == other.centre.tobytes()
    assert clean.scale.tobytes() == other.scale.tobytes()


def test_a_column_without_values_or_variation_is_left_out():
    features = DATA.features.copy()
    features[:, 0], features[:, 2] = np.nan, 1.5
    assert inputs_of(replace(DATA, features=features)).names == ("x1", "x3")


@given(arrays(np.float64, (1, 4), elements=st.floats(-1e12, 1e12)))
def test_no_live_value_lies_outside_the_clip(row):
    x = inputs_of(DATA).of(replace(DATA.last(1), features=row))
    assert (np.abs(x) <= CLIP).all()


def test_targets_are_scaled_around_no_change():
    assert target_scale(np.array([3.0, np.nan, -4.0])) == pytest.approx(np.sqrt(12.5))


def network(rng):
    sizes = (5, 4, 3, 2)
    layers = tuple((rng.normal(size=s), rng.normal(size=s[1])) for s in pairwise(sizes))
    inputs = Inputs(("a", "b", "c", "d"), rng.normal(size=4), rng.uniform(1, 2, 4), ("b",))
    return Network((Horizon.W1, Horizon.M3), inputs, np.array([0.03, 0.1]), layers)


def test_the_forward_pass_equals_a_naive_loop():
    net = network(np.random.default_rng(0))
    x = np.random.default_rng(1).normal(size=5)
    values = x
    for depth, (kernel, bias) in enumerate(net.layers):
        values = [sum(v * kernel[i, j] for i, v in enumerate(values)) + bias[j] for j in range(len(bias))]
        if depth < 2:
            values = [max(v, 0.0) for v in values]
    assert net.forward(x) == pytest.approx(np.array(values) * net.target_scale)


def test_a_net_survives_its_bytes():
    net = network(np.random.default_rng(0))
    artifact = net.to_bytes()
    again = Network.from_bytes(artifact)
    x = np.random.default_rng(1).normal(size=5)
    assert again.to_bytes() == artifact
    assert again.forward(x).tobytes() == net.forward(x).tobytes()
    assert (again.horizons, again.inputs.names, again.inputs.flagged) == (
        net.horizons,
        net.inputs.names,
        net.inputs.flagged,
    )


def test_inputs_equal_a_naive_loop_over_the_rows_that_count():
    counted = np.arange(400) % 3 > 0
    inputs = inputs_of(DATA, counted)
    assert inputs.names == DATA.names
    for i in range(4):
        known = [v for v, c in zip(DATA.features[:, i], counted, strict=True) if c and np.isfinite(v)]
        mean = sum(known) / len(known)
        assert inputs.centre[i] == pytest.approx(mean)
        assert inputs.scale[i] == pytest.approx((sum((v - mean) ** 2 for v in known) / len(known)) ** 0.5)
    row = next(i for i in range(400) if np.isfinite(DATA.features[i]).all())
    expected = [(DATA.features[row, i] - inputs.centre[i]) / inputs.scale[i] for i in range(4)]
    np.testing.assert_allclose(inputs.of(DATA)[row], [*np.clip(expected, -CLIP, CLIP), 0.0])


def test_a_live_row_may_hold_its_columns_in_another_order_and_lack_what_was_left_out():
    inputs = inputs_of(DATA)
    other = replace(DATA, features=DATA.features[:, [3, 1, 0, 2]], names=("x3", "x1", "x0", "x2"))
    assert inputs.of(other).tobytes() == inputs.of(DATA).tobytes()


def test_variation_counts_beside_the_size_of_the_value():
    n = 50
    wave = np.where(np.arange(n) % 2 == 0, 1.0, -1.0)
    features = np.column_stack([1e6 + 1e-7 * wave, 1e6 + 1e-5 * wave, 1e-13 * wave, 1e-11 * wave])
    data = replace(DATA.last(n), features=features)
    assert inputs_of(data).names == ("x1", "x3")


def test_a_flag_tells_of_the_rows_that_count_alone():
    missing = ~np.isfinite(DATA.features[:, 1])
    assert inputs_of(DATA, ~missing).flagged == ()
    holes = replace(DATA, features=np.where(np.arange(4) == 2, np.inf, DATA.features))
    assert inputs_of(holes).names == ("x0", "x1", "x3")
