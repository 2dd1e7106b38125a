"""Time in which the gate judges every table of the owner's warehouse."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ingest import jobs

pytestmark = [pytest.mark.benchmark, pytest.mark.real_data]


def test_the_whole_warehouse(real_warehouse: Path, record: Callable[..., None]) -> None:
    start = time.perf_counter()
    found = jobs.quality({"warehouse": str(real_warehouse), "market": "zl", "as_of": None})
    record(f"gate, {len(found['tables'])} tables", time.perf_counter() - start, "s", budget=15)
    assert found["refused"] is None
