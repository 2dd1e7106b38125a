"""A trained model as an MLflow model: it says what its pass said, or it is not written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cbi_common.core.errors import DataError, JobError
from cbi_common.core.horizon import Horizon
from cbi_common.testing.walks import random_dataset
from cbi_common.timeseries.dataset import Dataset
from cbi_common.training import served_model
from cbi_common.training.mlmodel import write_mlmodel
from cbi_common.training.served_model import LOG_RETURN, PRICE, SESSION, Description, Reach, ServedModel, load

pytestmark = pytest.mark.filterwarnings("ignore")  # mlflow's own, while it is imported

DATA = random_dataset(300)


class LastRow:
    """Its forecast is the sum of the last row's features, times the horizon."""

    name = "drift"

    def fit(self, train: Dataset, horizons: Any, params: Any, weights: Any, seed: int) -> bytes:
        return b"0.001"

    def load(self, artifact: bytes) -> float:
        return float(artifact)

    def forecast(self, model: float, view: Dataset) -> np.ndarray:
        return model * view.features[-1].sum() * np.array([h.sessions for h in Horizon])


LEARNER = LastRow()
DESCRIPTION = Description(
    model_id="drift", learner="drift", horizons=tuple(Horizon), horizon=Horizon.M3, features=DATA.names
)
REACH = Reach()


def _load_pyfunc(path: str) -> ServedModel:
    return load(path, [LEARNER], lambda _: REACH)


@pytest.fixture
def artifact() -> bytes:
    return LEARNER.fit(DATA, tuple(Horizon), {}, np.ones(300), 1)


@pytest.fixture
def said(artifact: bytes) -> float:
    return float(LEARNER.forecast(LEARNER.load(artifact), DATA)[list(Horizon).index(Horizon.M3)])


def write(folder: Path, artifact: bytes, y_hat: float) -> None:
    write_mlmodel(folder, artifact, DESCRIPTION, __name__, DATA, y_hat, {"run_id": "run"})


def test_it_has_a_signature_an_example_and_the_bytes_of_the_lake(tmp_path, artifact, said, monkeypatch) -> None:
    _importable(monkeypatch)
    write(tmp_path, artifact, said)
    assert (tmp_path / "data" / "artifact").read_bytes() == artifact
    text = (tmp_path / "MLmodel").read_text()
    assert f"loader_module: {__name__}" in text
    assert "run_id: run" in text
    example = json.loads((tmp_path / "input_example.json").read_text())
    assert example["columns"] == [SESSION, PRICE, *DATA.names]
    model = _load_pyfunc(str(tmp_path / "data"))
    rows = pd.DataFrame(example["data"], columns=example["columns"])
    assert float(model.predict(rows)[LOG_RETURN].iloc[-1]) == pytest.approx(said, abs=1e-12)


def test_a_model_that_says_something_else_is_not_written(tmp_path, artifact, said, monkeypatch) -> None:
    _importable(monkeypatch)
    with pytest.raises(JobError, match=r"it says .* and not .*; it is not registered"):
        write(tmp_path, artifact, said + 1e-6)
    assert not (tmp_path / "MLmodel").exists()


def test_rows_that_do_not_reach_back_as_far_as_the_model_looks_have_no_forecast(artifact) -> None:
    deep = ServedModel(LEARNER, LEARNER.load(artifact), Reach(rows=3), DESCRIPTION)
    assert np.isnan(deep.predict(_rows(DATA, 5))[LOG_RETURN]).tolist() == [True, True, False, False, False]
    assert len(deep.example(DATA)) == 3
    since = int(DATA.sessions[-10])
    moved_on = ServedModel(LEARNER, LEARNER.load(artifact), Reach(since=since), DESCRIPTION)
    assert len(moved_on.example(DATA)) == 10
    assert np.isnan(moved_on.predict(_rows(DATA, 9))[LOG_RETURN]).all()
    assert np.isfinite(moved_on.predict(_rows(DATA, 10))[LOG_RETURN]).all()


@pytest.mark.parametrize("spoil", [lambda t: t.iloc[::-1], lambda t: t.assign(price=0.0)])
def test_rows_in_disorder_are_refused(artifact, spoil) -> None:
    model = ServedModel(LEARNER, LEARNER.load(artifact), REACH, DESCRIPTION)
    with pytest.raises(DataError, match="sessions must ascend and prices be positive"):
        model.predict(spoil(_rows(DATA, 5)))


def test_a_learner_that_is_not_installed_is_said(tmp_path, artifact) -> None:
    served_model.store(tmp_path / "data", artifact, DESCRIPTION)
    with pytest.raises(JobError, match="no learner 'drift'; install the trainer"):
        load(str(tmp_path / "data"), [], lambda _: REACH)


def _rows(data: Dataset, count: int) -> pd.DataFrame:
    columns: dict[str, Any] = {SESSION: data.sessions[-count:], PRICE: data.price[-count:]}
    return pd.DataFrame(columns | {name: data.features[-count:, i] for i, name in enumerate(data.names)})


def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Test modules are not on the path; the loader is found by its name."""
    import sys

    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or _this())


def _this() -> Any:
    from types import SimpleNamespace

    return SimpleNamespace(_load_pyfunc=_load_pyfunc)
