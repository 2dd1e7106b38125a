"""The audit of what is installed finds what it is for."""

from __future__ import annotations

import importlib.util
from email.message import Message
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PATH = Path(__file__).parents[3] / "deploy" / "audit.py"


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Installed:
    """A distribution as metadata tell of it."""

    def __init__(self, version: str = "1.0", requires: tuple[str, ...] = (), **about: str) -> None:
        self.version, self.requires = version, requires
        self.metadata = Message()
        for name, value in about.items():
            self.metadata[name.replace("_", "-")] = value


def test_what_is_installed_here_passes(audit: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.main() == 0, capsys.readouterr().err


def test_another_version_and_no_pin_are_found(audit: ModuleType) -> None:
    installed: dict[str, Any] = {
        "a": Installed("1.1"),
        "b": Installed("2.0"),
        "c": Installed("3.0"),
        "pip": Installed(),
    }
    found = list(audit.unpinned(installed, {"a": "1.1", "b": "1.9"}))
    assert [line.split()[:2] for line in found] == [["b", "2.0"], ["c", "3.0"]]


def test_what_nobody_asked_for_is_found(audit: ModuleType) -> None:
    installed: dict[str, Any] = {
        "cbi-x": Installed(requires=("a[more]>1", "gone ; python_version < '3'")),
        "a": Installed(requires=("b ; extra == 'more'", "c ; extra == 'other'")),
        "b": Installed(),
        "c": Installed(),
        "gone": Installed(),
    }
    assert [line.split()[0] for line in audit.unasked(installed, ["cbi-x"])] == ["c", "gone"]


@pytest.mark.parametrize(
    ("about", "wrong"),
    [
        ({"License_Expression": "MIT"}, False),
        ({"License_Expression": "Apache-2.0 WITH LLVM-exception"}, False),
        ({"Classifier": "License :: OSI Approved :: BSD License"}, False),
        ({"License_Expression": "GPL-3.0-only"}, True),
        ({"License_Expression": "MIT AND AGPL-3.0-or-later"}, True),
        ({"Classifier": "License :: Other/Proprietary License"}, True),
        ({"License": "Some licence of our own"}, True),
        ({}, True),
    ],
)
def test_a_licence_that_is_not_permissive_is_found(audit: ModuleType, about: dict[str, str], wrong: bool) -> None:
    assert bool(list(audit.unlicensed({"x": Installed(**about)}))) is wrong
