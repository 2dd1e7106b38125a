import doctest
import importlib
import pkgutil

import pytest

import cbi_common.timeseries as package

MODULES = [info.name for info in pkgutil.iter_modules(package.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_hold(name: str) -> None:
    module = importlib.import_module(f"{package.__name__}.{name}")
    assert doctest.testmod(module).failed == 0
