"""What a pass leaves in MLflow: plots, scores, and models that a fresh process loads and that say what was said."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.e2e

LOAD = """
import json, sys, warnings
warnings.simplefilter("ignore")
from pathlib import Path
import mlflow, pandas
from mlflow.artifacts import download_artifacts
mlflow.set_tracking_uri(sys.argv[1])
found = {}
for registered in mlflow.MlflowClient().search_registered_models():
    uri = f"models:/{registered.name}@challenger"
    version = mlflow.MlflowClient().get_model_version_by_alias(registered.name, "challenger")
    model = mlflow.pyfunc.load_model(uri)
    example = json.loads((Path(download_artifacts(uri)) / "input_example.json").read_text())
    rows = pandas.DataFrame(example["data"], columns=example["columns"])
    said = float(model.predict(rows)["log_return"].iloc[-1])
    inputs = len(model.metadata.signature.inputs.inputs)
    found[registered.name] = {"model": version.tags["cbi.model_id"], "said": said, "inputs": inputs}
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def lake(passed: Any) -> Path:
    """The lake of a pass that was tracked beside it."""
    return Path(passed.lake)


def test_the_best_of_each_horizon_is_loaded_and_says_what_it_said(lake: Path) -> None:
    uri = f"sqlite:///{lake / '.stack' / 'mlflow.db'}"
    done = subprocess.run(
        [sys.executable, "-c", LOAD, uri], capture_output=True, text=True, check=True, cwd=lake.parent, timeout=120
    )
    found = json.loads(done.stdout.splitlines()[-1])
    (stored,) = (lake / "refs" / "ensemble").glob("*.members.json")
    live = json.loads((lake / "cas" / _blob(json.loads(stored.read_text())["sha256"], lake)).read_text())["horizons"]
    assert set(found) == {f"cbi-zl-{horizon}" for horizon in live}
    for name, model in found.items():
        assert model["said"] == pytest.approx(live[name.removeprefix("cbi-zl-")][model["model"]]["y_hat"], abs=1e-9)
        assert model["inputs"] > 2  # session, price and the features that it saw


def test_nothing_is_pickled_and_every_model_has_its_plots(lake: Path) -> None:
    files = [path for path in (lake / ".stack" / "mlartifacts").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".svg", ".json", ""}
    own = {path.name for path in files if not path.suffix} - {"registered_model_meta"}  # MLflow's, when it loads one
    assert own == {"MLmodel", "artifact"}
    plots = [path.name for path in files if path.suffix == ".svg"]
    assert {name: plots.count(name) for name in plots} == dict.fromkeys(
        ("forecast.svg", "residuals.svg", "error_by_horizon.svg"), 15
    )
    assert not list(lake.parent.glob("mlflow.db")), "MLflow's default store in the working directory"


def _blob(sha256: str, lake: Path) -> Path:
    (path,) = (lake / "cas").rglob(f"{sha256}*")
    return path.relative_to(lake / "cas")
