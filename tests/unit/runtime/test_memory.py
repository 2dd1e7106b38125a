"""What looking at the memory may cost, and what it sees."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from cbi_common.runtime import memory
from cbi_common.runtime.memory import MemoryWatch, tree_mb


@pytest.mark.parametrize(("spent_s", "pause_s"), [(0.001, 0.5), (0.05, 2.5)])
def test_a_look_that_costs_much_is_taken_less_often(
    monkeypatch: pytest.MonkeyPatch, spent_s: float, pause_s: float
) -> None:
    looks: Iterator[tuple[float, float]] = iter([(100.0, spent_s), (300.0, spent_s), (200.0, spent_s)])
    monkeypatch.setattr(memory, "_sample", lambda: next(looks))
    monkeypatch.setattr(memory, "tree_mb", lambda: 50.0)
    really, pauses = asyncio.sleep, []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise asyncio.CancelledError
        await really(0)

    async def go() -> float:
        watch = MemoryWatch()
        monkeypatch.setattr(asyncio, "sleep", sleep)
        watch.start()
        while len(pauses) < 3:
            await really(0.001)
        await watch.stop()
        return watch.peak_mb

    assert asyncio.run(go()) == 300.0
    assert pauses == [pytest.approx(pause_s)] * 3


def test_what_is_held_is_seen() -> None:
    before = tree_mb()
    held = bytearray(b"x" * 64 * 2**20)
    assert 60 < tree_mb() - before < 80, len(held)
