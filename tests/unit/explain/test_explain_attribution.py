import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from explain.domain.attribution import (
    EXPECTATION,
    PRICE_HISTORY,
    UNGROUPED,
    Member,
    by_feature,
    explain,
    largest_first,
    whole,
)

GROUPS = {"cl_return_5": "energy", "ho_return_5": "biofuels", "cl_return_21": "energy"}


def tree(expected=0.01):
    names = ["cl_return_5", "ho_return_5", "cl_return_21", "unheard_of"]
    return by_feature(names, np.array([0.02, -0.005, 0.01, 0.001]), expected, GROUPS)


def blended(members, current=50.0):
    log_return = sum(m.weight * sum(m.contributions.values()) for m in members)
    return explain(members, current=current, forecast=current * np.exp(log_return))


def test_features_add_up_to_their_groups():
    found = blended([Member(1.0, tree())])
    cents_per_return = (found.forecast - found.baseline) / np.log(found.forecast / found.baseline)
    assert found.groups["energy"] == pytest.approx(0.03 * cents_per_return)
    assert found.groups["energy"] == pytest.approx(found.drivers["cl_return_5"] + found.drivers["cl_return_21"])
    assert found.groups[EXPECTATION] == pytest.approx(0.01 * cents_per_return)
    assert found.drivers["unheard_of"] == found.groups[UNGROUPED]
    assert set(found.drivers) == {"cl_return_5", "ho_return_5", "cl_return_21", "unheard_of"}


def test_largest_come_first():
    found = blended([Member(1.0, tree())])
    assert list(found.drivers) == ["cl_return_5", "cl_return_21", "ho_return_5", "unheard_of"]
    assert list(found.groups) == ["energy", EXPECTATION, "biofuels", UNGROUPED]
    assert list(largest_first({"b": -2.0, "a": 2.0, "c": 3.0})) == ["c", "a", "b"]


def test_weights_scale_and_no_change_contributes_nothing():
    half = blended([Member(0.5, tree()), Member(0.25, whole(PRICE_HISTORY, -0.04)), Member(0.25, {})])
    move = np.log(half.forecast / 50.0)
    assert move == pytest.approx(0.5 * 0.036 - 0.25 * 0.04)
    cents_per_return = (half.forecast - 50.0) / move
    assert half.groups[PRICE_HISTORY] == pytest.approx(-0.01 * cents_per_return)
    assert PRICE_HISTORY not in half.drivers


def test_no_change_alone_needs_no_explanation():
    found = explain([Member(1.0, {})], current=50.0, forecast=50.0)
    assert (found.groups, found.drivers, found.residual) == ({}, {}, 0.0)


def test_what_contributions_miss_is_the_residual():
    found = explain([Member(1.0, whole(PRICE_HISTORY, 0.03))], current=50.0, forecast=50.0 * np.exp(0.05))
    missing = (found.forecast - 50.0) * 0.02 / 0.05
    assert found.residual == pytest.approx(missing)


shares = st.lists(st.floats(-0.3, 0.3), min_size=1, max_size=6)


@given(st.lists(st.tuples(st.floats(0, 1), shares, st.floats(-0.1, 0.1)), min_size=1, max_size=5), st.floats(1, 200))
def test_shares_and_residual_add_up_to_the_move(drawn, current):
    total = sum(weight for weight, _, _ in drawn)
    assume(total > 0)
    members = [
        Member(w / total, by_feature([f"f{i}" for i in range(len(s))], np.array(s), e, {"f0": "energy"}))
        for w, s, e in drawn
    ]
    found = blended(members, current)
    move = found.forecast - found.baseline
    scale = max(abs(v) for v in [*found.groups.values(), current])
    assert sum(found.groups.values()) + found.residual == pytest.approx(move, rel=1e-9, abs=1e-12 * scale)
    assert abs(found.residual) <= 1e-9 * scale
