"""Fixtures of the end-to-end tests: the `cbi` program as a user runs it, and warehouses to run it on."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cbi_common.testing.folders import write_simulated_folder

Cbi = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder warehouse with 1,500 sessions of the simulated market."""
    path = tmp_path_factory.mktemp("warehouse")
    write_simulated_folder(path, sessions=1500, seed=5)
    return path


@dataclass(frozen=True)
class Passed:
    """What one undisturbed pass over `folder` left; nobody changes it."""

    lake: Path
    report: dict[str, Any]


@pytest.fixture(scope="session")
def passed(cbi: Cbi, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Passed:
    """One pass with profile smoke for all who only look at one, whichever worker asks first."""
    home = tmp_path_factory.getbasetemp().parent / "passed"
    home.mkdir(exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        report = home / "report.json"
        if not report.exists():
            words = ("--warehouse", str(folder), "--profile", "smoke", "--lake", str(home / "lake"))
            done = cbi("run", *words, "--json", str(home / "unread.json"))
            assert done.returncode == 0, done.stderr
            (home / "unread.json").rename(report)
    return Passed(home / "lake", json.loads(report.read_text()))


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
