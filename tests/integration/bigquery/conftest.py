"""One emulator for all tests of a process; a test takes a project of its own where it writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cbi_common.testing.bigquery import Emulator, environment

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A running emulator; its environment is made when it is missing."""
    python = environment(ROOT / ".bqemulator", Path(__file__).with_name("requirements.txt"))
    with Emulator(python, tmp_path_factory.mktemp("bigquery") / "emulator.log") as running:
        yield running
