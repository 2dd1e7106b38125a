"""Drawing scenarios: the seed alone decides, and everything that may be drawn can be done."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest

from cbi_common.events.base import EventData
from cbi_common.testing.chaos.faults import DOING
from cbi_common.testing.chaos.scenario import HEARD, KINDS, MOMENTS, POISONS, PUBLISHED, Kind, draw

MANY = [draw(seed, KINDS) for seed in range(1, 601)]


def test_a_seed_is_the_same_scenario_in_every_process() -> None:
    code = "from cbi_common.testing.chaos.scenario import *; print([draw(s, KINDS) for s in range(1, 21)])"
    elsewhere = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert elsewhere == f"{MANY[:20]}\n"


def test_different_seeds_are_different_scenarios() -> None:
    assert len({scenario.faults for scenario in MANY}) > 550


@pytest.mark.parametrize("first", [1, 7, 1000])
def test_as_many_seeds_in_a_row_as_there_are_kinds_have_each_of_them(first: int) -> None:
    assert {draw(seed, KINDS).faults[0].kind for seed in range(first, first + len(KINDS))} == set(KINDS)


def test_only_what_is_allowed_is_drawn() -> None:
    allowed: tuple[Kind, ...] = ("kill", "clock")
    assert {fault.kind for seed in range(50) for fault in draw(seed, allowed).faults} == set(allowed)


def test_one_to_three_faults_of_every_kind_at_every_moment() -> None:
    faults = [fault for scenario in MANY for fault in scenario.faults]
    assert {len(scenario.faults) for scenario in MANY} == {1, 2, 3}
    assert {fault.kind for fault in faults} == set(KINDS) == set(DOING)
    assert {fault.at.moment for fault in faults} == set(MOMENTS)
    assert {fault.how for fault in faults if fault.kind == "poison"} == set(POISONS)
    assert min(Counter(fault.kind for fault in faults).values()) > 30


def test_every_boundary_comes_in_a_pass() -> None:
    for scenario in MANY:
        for fault in scenario.faults:
            assert 1 <= fault.at.nth <= PUBLISHED[fault.at.service, fault.at.subject], fault


def test_the_subjects_are_those_of_the_product() -> None:
    known = {cls.subject for cls in EventData.classes()}
    assert {subject for _, subject in PUBLISHED} <= known
    assert set(HEARD) <= known


def test_cold_and_fitted_lakes_are_both_drawn() -> None:
    assert {scenario.warmth for scenario in MANY} == {"cold", "fits"}
