"""What a trainer's child tells MLflow of a pass, and that a store in trouble is tried again and then only reported."""

from __future__ import annotations

import sys
import time
from types import SimpleNamespace
from typing import Any

import pytest

from cbi_common.core.errors import InfrastructureError
from cbi_common.core.horizon import Horizon
from cbi_common.events.forecast import LiveMember, LiveMembers
from cbi_common.events.training import ModelTrained
from cbi_common.storage.lake import Lake
from cbi_common.storage.tracking.runs import TrackedModel
from cbi_common.testing.walks import HashLearner, make_manifest, random_dataset
from cbi_common.training import tracking
from cbi_common.training.environment import Environment
from cbi_common.training.job import train
from cbi_common.training.plan import plan
from cbi_common.training.predictions import Predictions
from cbi_common.training.served_model import Reach, load

pytestmark = pytest.mark.filterwarnings("ignore")  # mlflow's own, while it is imported

DATA = random_dataset(600)
ENVIRONMENT = Environment(device="cpu", libraries=("numpy",))
PLOTS = ["error_by_horizon.svg", "forecast.svg", "residuals.svg"]


class Store:
    """Stands in for MLflow: is away and refuses so often, then takes rows and looks at their files while they exist."""

    def __init__(self, away: int = 0, refusals: int = 0) -> None:
        self.away, self.looks, self.refusals, self.attempts = away, 0, refusals, 0
        self.rows: dict[tuple[str, str], TrackedModel] = {}
        self.plots: dict[tuple[str, str], list[str]] = {}

    def answer(self, uri: str) -> str:
        self.looks += 1
        if self.looks <= self.away:
            raise InfrastructureError("connection refused", where=f"MLflow {uri}")
        return "here"

    def take(self, uri: str, rows: list[TrackedModel]) -> str:
        self.attempts += 1
        if self.attempts <= self.refusals:
            raise InfrastructureError("database is locked", where=f"MLflow {uri}")
        self.rows = {(row.model_id, row.horizon): row for row in rows}
        self.plots = {
            key: sorted(file.name for file in row.files.iterdir())
            for key, row in self.rows.items()
            if row.files is not None
        }
        return "taken"


@pytest.fixture(scope="module")
def order(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The argument of `track` after a pass of two models, of which lgbm alone is a candidate."""
    lake = Lake(str(tmp_path_factory.mktemp("lake")))
    manifest, ref = make_manifest(lake, DATA, ("drift", "lgbm"))
    learners = (HashLearner("drift"), HashLearner("lightgbm"))
    run = {"lake": lake.url, "manifest": ref.model_dump(mode="json"), "checkpoints": "", "key": "k"}
    models = [
        model
        for job in plan(manifest, tracking.load_catalogue(), "cpu")
        for model in train({**run, "job": job.model_dump(mode="json")}, learners, ENVIRONMENT)
    ]
    members = LiveMembers(
        horizons={h: {m.model_id: _member(lake, m) for m in models if m.horizon == h} for h in Horizon}, regime=None
    )
    return {
        "uri": "sqlite:///mlflow.db",
        "lake": lake.url,
        "manifest": run["manifest"],
        "members": lake.put_json("ensemble/members", members.model_dump(mode="json")).model_dump(mode="json"),
        "suspect": [],
        "models": [model.model_dump(mode="json") for model in models],
        "loader": "toy.mlflow_model",
        "environment": ENVIRONMENT.identity(),
    }


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    return _installed(monkeypatch, Store(), rows=len(DATA.sessions))


def test_every_model_is_told_with_its_plots_and_the_best_of_a_horizon_as_a_model(order, store) -> None:
    assert tracking.track(order) == {"logged": True, "message": "taken", "warnings": []}
    assert len(store.rows) == len(order["models"]) == 10
    assert all(plots == PLOTS for plots in store.plots.values())
    assert len(store.plots) == 10
    registered = {key for key, row in store.rows.items() if row.model is not None}
    assert registered == {("lgbm", str(horizon)) for horizon in Horizon}
    row = store.rows["lgbm", "1w"]
    assert row.params["learner"] == "lightgbm"
    assert row.simulated
    assert len(row.dataset_sha256) == 64
    assert row.metrics["refits"] == 6.0


def test_a_model_of_the_cache_is_drawn_only_when_it_is_the_best(order, store) -> None:
    cached = [{**model, "status": "cached"} for model in order["models"]]
    tracking.track({**order, "models": cached})
    assert len(store.rows) == 10
    assert set(store.plots) == {("lgbm", str(horizon)) for horizon in Horizon}


def test_a_best_model_that_says_something_else_is_told_and_not_registered(order, monkeypatch) -> None:
    store = _installed(monkeypatch, Store(), rows=1)  # it saw all rows, and is loaded as if it looked at one
    done = tracking.track(order | {"models": [m for m in order["models"] if m["model_id"] == "lgbm"]})
    assert done["logged"]
    assert len(done["warnings"]) == 5
    assert all("as an MLflow model it says" in warning for warning in done["warnings"])
    assert not any(row.model for row in store.rows.values())


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    return waited


@pytest.mark.parametrize(("refusals", "logged"), [(2, True), (3, False)])
def test_a_store_in_trouble_is_tried_three_times_and_then_told(order, monkeypatch, pauses, refusals, logged) -> None:
    store = _installed(monkeypatch, Store(refusals=refusals), rows=len(DATA.sessions))
    done = tracking.track({**order, "models": []})
    assert store.attempts == 3
    assert pauses == list(tracking.PAUSES_S)
    assert done["logged"] is logged
    if not logged:
        assert done["message"].startswith("models were not tracked: MLflow sqlite:///mlflow.db: database is locked")


@pytest.mark.parametrize(("away", "attempts"), [(2, 1), (3, 0)])
def test_nothing_is_drawn_for_a_store_that_is_away(order, monkeypatch, pauses, away, attempts) -> None:
    store = _installed(monkeypatch, Store(away=away), rows=len(DATA.sessions))
    done = tracking.track({**order, "models": []})
    assert (store.looks, store.attempts) == (3, attempts)
    assert pauses == list(tracking.PAUSES_S)
    assert done["logged"] is (attempts == 1)
    assert ("connection refused" in done["message"]) is (attempts == 0)


def _installed(monkeypatch: pytest.MonkeyPatch, store: Store, rows: int) -> Store:
    def loader(path: str) -> Any:
        return load(path, [HashLearner("lightgbm")], lambda _: Reach(rows=rows))

    monkeypatch.setitem(sys.modules, "toy.mlflow_model", SimpleNamespace(_load_pyfunc=loader))
    monkeypatch.setattr(tracking, "reached", store.answer)
    monkeypatch.setattr(tracking, "log_models", store.take)
    return store


def _member(lake: Lake, model: ModelTrained) -> LiveMember:
    return LiveMember(
        weight=0.5,
        y_hat=float(Predictions.get(lake, model.predictions).y_hat[-1]),
        family=model.family,
        learner=model.model_id,
        dataset=model.dataset,
        predictions=model.predictions,
        artifact=model.artifact,
        metrics=model.metrics,
    )
