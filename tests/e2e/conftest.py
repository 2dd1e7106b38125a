"""Fixtures of the end-to-end tests: the `cbi` program as a user runs it, and warehouses to run it on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cbi_common.testing.folders import write_simulated_folder

Cbi = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder warehouse with 1,500 sessions of the simulated market."""
    path = tmp_path_factory.mktemp("warehouse")
    write_simulated_folder(path, sessions=1500, seed=5)
    return path


@pytest.fixture(scope="session")
def cbi() -> Cbi:
    """Run `cbi` in a process of its own."""

    def call(*arguments: str, timeout: float = 280, **environment: str) -> subprocess.CompletedProcess[str]:
        program = Path(sys.executable).parent / "cbi"
        clean = {name: value for name, value in os.environ.items() if not name.startswith("CBI_")}
        return subprocess.run(
            [str(program), *arguments],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env={**clean, "COLUMNS": "200", **environment},
        )

    return call
