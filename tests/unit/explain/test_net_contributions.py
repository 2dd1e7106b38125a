"""Shares of driver groups in the forecast of a net add up to it, and are the right ones where those are known."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from cbi_common.core.horizon import Horizon
from cbi_common.testing.walks import random_dataset
from cbi_common.timeseries.nets import Net, Network, SequenceNetwork, read_net
from cbi_common.timeseries.nets.stage import Stage
from cbi_common.timeseries.scaling import inputs_of
from explain.domain.net_contributions import contributions

DATA = random_dataset(300, columns=6)
GROUPS = dict(zip(DATA.names, ("palm", "palm", "energy", "dollar", "dollar", "china"), strict=True))
HORIZONS = (Horizon.W1, Horizon.M1)
RNG = np.random.default_rng(3)


def dense(hidden: bool) -> Network:
    inputs = inputs_of(DATA)
    sizes = [inputs.size, *([7] if hidden else []), 2]
    layers = [(RNG.normal(size=(a, b)), RNG.normal(size=b)) for a, b in pairwise(sizes)]
    return Network(HORIZONS, inputs, np.array([0.02, 0.05]), tuple(layers))


def sequence() -> SequenceNetwork:
    inputs, units = inputs_of(DATA), 5
    lstm = (RNG.normal(size=(inputs.size, 4 * units)), RNG.normal(size=(units, 4 * units)), RNG.normal(size=4 * units))
    heads = (RNG.normal(size=(units, 2)), RNG.normal(size=2))
    stages = (Stage("lstm", units), Stage("last"))
    return SequenceNetwork(HORIZONS, inputs, 12, stages, (lstm, ()), heads, np.array([0.02, 0.05]))


@pytest.mark.parametrize("net", [dense(hidden=True), sequence()], ids=["dense", "sequence"])
def test_shares_and_expectation_add_up_to_the_forecast_of_every_horizon(net: Net) -> None:
    groups, found, expected = contributions(net, DATA, GROUPS)
    x = net.inputs.of(DATA)
    forecast = net.forward(x[-net.window :] if isinstance(net, SequenceNetwork) else x[-1])
    assert groups == sorted(set(GROUPS.values()))
    np.testing.assert_allclose(found.sum(axis=0) + expected, forecast, rtol=0, atol=1e-12)
    assert np.abs(found).max() > 1e-4
    np.testing.assert_array_equal(found, contributions(net, DATA, GROUPS)[1])


def test_of_a_line_every_group_has_exactly_its_terms() -> None:
    net = dense(hidden=False)
    groups, found, expected = contributions(net, DATA, GROUPS)
    kernel, bias = net.layers[0]
    terms = net.inputs.of(DATA)[-1][:, None] * kernel * net.target_scale
    names = (*net.inputs.names, *net.inputs.flagged)
    for group, share in zip(groups, found, strict=True):
        own = [i for i, name in enumerate(names) if GROUPS[name] == group]
        np.testing.assert_allclose(share, terms[own].sum(axis=0), atol=1e-12)
    np.testing.assert_allclose(expected, bias * net.target_scale)


def test_a_group_at_its_mean_contributes_nothing() -> None:
    net = dense(hidden=True)
    rows = DATA.features.copy()
    for column, name in enumerate(DATA.names):
        if GROUPS[name] == "dollar":
            rows[-1, column] = net.inputs.centre[net.inputs.names.index(name)]
    groups, found, _ = contributions(net, replace(DATA, features=rows), GROUPS)
    np.testing.assert_allclose(found[groups.index("dollar")], 0.0, atol=1e-15)


def test_stored_nets_are_read_as_what_they_are() -> None:
    for net, windows in ((dense(hidden=True), False), (sequence(), True)):
        again = read_net(net.to_bytes(), windows=windows)
        np.testing.assert_array_equal(contributions(again, DATA, GROUPS)[1], contributions(net, DATA, GROUPS)[1])
