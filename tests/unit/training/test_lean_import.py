import importlib
import subprocess
import sys

import pytest

from cbi_common.training.lean_import import absent, submodule


def test_a_hidden_module_looks_uninstalled_and_comes_back(tmp_path, monkeypatch):
    (tmp_path / "optional_extra.py").write_text("VALUE = 3")
    monkeypatch.syspath_prepend(str(tmp_path))
    with absent("optional_extra"), pytest.raises(ImportError):
        importlib.import_module("optional_extra")
    assert importlib.import_module("optional_extra").VALUE == 3


def test_a_loaded_module_stays():
    with absent("json"):
        import json
    assert json.loads("1") == 1


def test_a_submodule_comes_without_its_package(tmp_path, monkeypatch):
    package = tmp_path / "heavy_package"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('heavy')")
    (package / "light.py").write_text("from . import other\nVALUE = other.VALUE")
    (package / "other.py").write_text("VALUE = 7")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert submodule("heavy_package.light").VALUE == 7
    assert "heavy_package" not in sys.modules
    assert submodule("heavy_package.light").VALUE == 7


def test_a_package_that_is_not_there_is_an_import_error():
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        submodule("no_such_package.part")


def test_arrow_settles_that_there_is_no_pandas_and_reads_days_all_the_same():
    program = """
import sys
from cbi_common.training.lean_import import arrow_without_pandas
arrow_without_pandas()
import pyarrow as pa
days = pa.chunked_array([pa.array([1, None], pa.date32())]).to_numpy()
moments = pa.array([1], pa.timestamp("ns")).to_numpy(zero_copy_only=False)
print(days.astype("datetime64[D]").tolist(), moments.dtype, "pandas" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[datetime.date(1970, 1, 2), None] datetime64[ns] False"
