"""Import a vendor's library without what it would load and a training child never uses.

A child process lives for one job, so what it imports is paid for every job. Measured on the build machine, CPU seconds:
lightgbm 6.3 → 1.1 without scikit-learn and pandas, statsforecast 9.5 → 6 without its distributed backends and numba,
keras 16 → 11 without scikit-learn and pandas.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.util import find_spec
from types import ModuleType


@contextmanager
def absent(*names: str) -> Iterator[None]:
    """Make optional dependencies look as if they were not installed, unless they are loaded already.

    Libraries test for an optional dependency with ``try: import`` and do without it.
    """
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None is how Python marks a module as missing
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)


class _NoPandas(MetaPathFinder):
    """Says that there is no pandas; compiled code does not take ``None`` in ``sys.modules`` for an answer."""

    def find_spec(self, fullname: str, *_: object) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError("pandas is left out", name=fullname)


def arrow_without_pandas() -> None:
    """Let pyarrow settle for good that there is no pandas.

    With the first array that it makes it imports pandas, half a second, to be able to tell a column of pandas' from
    others; nothing here hands it one. A process that has pandas already keeps it.
    """
    import pyarrow

    blind = _NoPandas()
    sys.meta_path.insert(0, blind)
    try:
        pyarrow.array([0])
    finally:
        sys.meta_path.remove(blind)


def submodule(name: str) -> ModuleType:
    """Import a submodule without running its package's ``__init__``, unless that has run already."""
    package = name.partition(".")[0]
    if package in sys.modules:
        return importlib.import_module(name)
    spec = find_spec(package)
    if spec is None or spec.submodule_search_locations is None:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)
    shell = ModuleType(package)
    shell.__path__ = list(spec.submodule_search_locations)
    sys.modules[package] = shell
    try:
        return importlib.import_module(name)
    finally:
        del sys.modules[package]
