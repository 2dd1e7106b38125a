"""A service alone in its image has everything that it imports, because it declares it."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
PROJECTS = sorted(
    path.parent for path in (*ROOT.glob("services/*/pyproject.toml"), *ROOT.glob("libs/*/pyproject.toml"))
)
FOUND = packages_distributions()
CALLERS = {
    ("cbi-common", "arch"): ("cbi-dashboard",),
    ("cbi-common", "matplotlib"): ("cbi-trainer-cpu", "cbi-trainer-metal"),
}
"""What the library imports in functions that these services call, each of which declares it."""


@cache
def needed(name: str) -> frozenset[str]:
    """Return a distribution with all that it needs here, directly or not."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        one = canonicalize_name(waiting.pop())
        if one in found:
            continue
        found.add(one)
        try:
            lines = requires(one) or []
        except PackageNotFoundError:
            continue
        for line in lines:
            need = Requirement(line)
            extras = need.extras or {""}
            if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
                waiting.append(need.name)
    return frozenset(found)


def imported(project: Path) -> Iterator[tuple[str, str]]:
    """Yield the top-level modules that a project imports, and where; its tests' tools are no part of an image."""
    for file in sorted((project / "src").rglob("*.py")):
        if "testing" in file.parts:
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("submodule", "import_module"):
                names = [str(word.value) for word in node.args if isinstance(word, ast.Constant)]
            for name in names:
                yield name, f"{file.relative_to(ROOT)}:{node.lineno}"


@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.name)
def test_what_is_imported_is_declared(project: Path) -> None:
    (name,) = re.findall(r'^name = "(.*)"$', (project / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    own = {path.name for path in (project / "src").iterdir()}
    lacking = set()
    for module, place in imported(project):
        top = module.partition(".")[0]
        brought = {canonicalize_name(distribution) for distribution in FOUND.get(top, ())}
        for caller in CALLERS.get((name, top), (name,)):
            if top not in own and top not in sys.stdlib_module_names and not brought & needed(caller):
                lacking.add(f"{place}: {module}, for {caller}")
    assert sorted(lacking) == []
