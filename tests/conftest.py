"""What decides which tests run: those on the owner's tables need the tables."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_warehouse() -> Path:
    """The owner's tables."""
    return Path(os.environ.get("REAL_WAREHOUSE", "../shared/data/warehouse")).resolve()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave tests on real tables out where there are none; in CI their absence is a failure, never a skip.

    The longest files go first: two workers then end together.
    """
    items.sort(key=lambda item: ("e2e" not in item.path.parts, "test_poisoning" not in item.path.name))
    folder = Path(os.environ.get("REAL_WAREHOUSE", "../shared/data/warehouse"))
    if folder.is_dir():
        return
    if os.environ.get("CI"):
        raise pytest.UsageError(f"{folder}: no real tables; put them there or set REAL_WAREHOUSE")
    gone = [item for item in items if item.get_closest_marker("real_data")]
    items[:] = [item for item in items if item not in gone]
    config.hook.pytest_deselected(items=gone)
