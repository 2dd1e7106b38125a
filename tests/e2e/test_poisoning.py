"""Noise, deletion and insertion after interior cutoffs change no earlier output by a bit; planted leaks do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cbi_common.testing.proving import LEAKS, Task, finds_planted, poisoned, stands_still

pytestmark = [pytest.mark.e2e, pytest.mark.proof, pytest.mark.real_data, pytest.mark.timeout(900)]
AS_OF = "2025-05-16"


@pytest.fixture(scope="module")
def task(real_warehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Task:
    return Task(str(real_warehouse), str(tmp_path_factory.mktemp("proof")), AS_OF)


@pytest.fixture(scope="module")
def copies(task: Task) -> dict[int, Path]:
    return {cutoff: poisoned(task, cutoff) for cutoff in task.cutoffs}


def test_the_future_changes_nothing_before_it(task: Task, copies: dict[int, Path]) -> None:
    assert stands_still(task, copies) == dict.fromkeys(task.cutoffs)


def test_every_planted_leak_is_found(task: Task, copies: dict[int, Path], tmp_path: Path) -> None:
    cutoff = task.cutoffs[2]
    found = finds_planted(replace(task, home=str(tmp_path)), cutoff, copies[cutoff])
    assert sorted(found) == sorted(LEAKS)
    assert [leak for leak, where in found.items() if where is None] == []
