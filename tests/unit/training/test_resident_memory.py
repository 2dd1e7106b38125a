"""A job that takes too much memory is ended with the reason."""

from __future__ import annotations

import asyncio
import threading

import pytest

from cbi_common.core.errors import JobError
from cbi_common.runtime.workers import Workers
from cbi_common.training.resident_memory import resident_limit


def test_too_much_memory_is_said_once() -> None:
    said: list[JobError] = []
    told = threading.Event()

    def end(error: JobError) -> None:
        said.append(error)
        told.set()

    with resident_limit("trainer", "give it a smaller batch", limit_mb=1, end=end, every_s=0.01):
        assert told.wait(10)
    (error,) = said
    assert "the limit is 1" in error.line()
    assert "smaller batch" in error.line()


def test_within_the_limit_nothing_is_said_and_nothing_stays() -> None:
    before = threading.active_count()
    with resident_limit("t", "h", limit_mb=1e6, end=lambda error: pytest.fail(error.line()), every_s=0.01):
        assert threading.active_count() == before + 1
    assert threading.active_count() == before


def hungry(arg: dict[str, int]) -> dict[str, int]:
    """Hold memory for ever."""
    with resident_limit("trainer", "hold less", limit_mb=arg["limit_mb"]):
        held = b"x" * (200 << 20)
        threading.Event().wait()
    return {"held": len(held)}


def test_a_child_ends_with_the_reason_whatever_it_waits_for(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(request.path.parent))
    with pytest.raises(JobError, match=r"it took \d+ MB of memory, the limit is 150"):
        asyncio.run(Workers(1, 60).run("test_resident_memory:hungry", {"limit_mb": 150}))
