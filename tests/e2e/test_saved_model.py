"""A net of a run as a TensorFlow SavedModel, by the command a person types."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Cbi = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.e2e

LEARN = """
import json, sys
import numpy as np, tensorflow as tf
loaded = tf.saved_model.load(sys.argv[1])
signature = loaded.signatures["serving_default"]
(name, spec), = signature.structured_input_signature[1].items()
rows = np.zeros([3, *spec.shape[1:]])
rows[1], rows[2] = 1e9, np.nan
answers = {k: v.numpy().tolist() for k, v in signature(**{name: tf.constant(rows)}).items()}
print(json.dumps({"input": name, "shape": spec.shape.as_list(), "dtype": spec.dtype.name, "answers": answers}))
"""
"""What somebody does who has TensorFlow and the folder, and nothing of ours."""


@pytest.fixture(scope="module")
def lake(passed: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy: the command starts a bus on its lake, which another test may do at the same time."""
    return Path(shutil.copytree(passed.lake, tmp_path_factory.mktemp("saved_model") / "lake"))


def test_a_net_is_exported_and_answers_without_us(cbi: Cbi, lake: Path, tmp_path: Path) -> None:
    target = tmp_path / "served" / "dense"
    done = cbi("export-model", "dense", "1m", "--to", str(target), "--lake", str(lake), "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)["export"]
    assert told["max_abs_diff"] <= 1e-5
    assert told["rows"] == 64
    assert told["outputs"] == [f"log_return_{h}" for h in ("1w", "1m", "3m", "6m", "12m")]
    assert json.loads((target / "features.json").read_text())["features"] == told["features"]
    answer = json.loads(_python(LEARN, str(target)))
    assert (answer["input"], answer["shape"], answer["dtype"]) == ("features", told["shape"], "float64")
    assert told["shape"] == [None, len(told["features"])]
    assert sorted(answer["answers"]) == sorted(told["outputs"])
    assert np.isfinite(list(answer["answers"].values())).all(), "values that are missing or beyond all are answered too"

    again = cbi("export-model", "dense", "1m", "--to", str(target), "--lake", str(lake))
    assert again.returncode == 2
    assert "is there and not empty; give a folder of its own" in again.stderr


def _python(program: str, *arguments: str) -> str:
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


@pytest.mark.parametrize(
    ("model", "horizon", "code", "says"),
    [
        ("lgbm", "1w", 2, "model lgbm: only nets are exported as SavedModel"),
        ("lstm", "1m", 4, "it has no fit of lstm at 1m"),
        ("nonsense", "1m", 2, "no model 'nonsense'"),
    ],
)
def test_what_cannot_be_exported_is_one_line(
    cbi: Cbi, lake: Path, tmp_path: Path, model: str, horizon: str, code: int, says: str
) -> None:
    done = cbi("export-model", model, horizon, "--to", str(tmp_path / "x"), "--lake", str(lake))
    assert done.returncode == code, done.stderr
    assert says in done.stderr.strip().splitlines()[-1]
    assert not (tmp_path / "x").exists()
