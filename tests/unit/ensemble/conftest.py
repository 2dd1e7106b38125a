from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from cbi_common.core.horizon import Horizon
from cbi_common.core.regime import Regime
from cbi_common.events.data import DataExported
from cbi_common.events.manifest import Member, RunManifest, ScoredWindow
from cbi_common.events.regime import RegimeDetected
from cbi_common.events.training import ModelFailed, ModelTrained
from cbi_common.storage.lake import Lake
from cbi_common.storage.tables import put_table
from cbi_common.testing.story import unscored
from cbi_common.timeseries.calendar import session_date
from cbi_common.timeseries.dataset import Dataset
from cbi_common.training.predictions import Predictions

FIRST, AS_OF = 3000, 4507
BURN_IN, SCORED = 3600, 4000


def random_walk(seed: int = 7) -> Dataset:
    rng = np.random.default_rng(seed)
    sessions = np.arange(FIRST, AS_OF + 1)
    dates = np.array([session_date(int(s)) for s in sessions], dtype="datetime64[D]")
    price = 50 * np.exp(np.cumsum(rng.normal(0, 0.012, len(sessions))))
    return Dataset(sessions, dates, price, np.empty((len(sessions), 0)), ())


class World:
    """A run on a random walk: one member that knows part of the outcome, one that knows nothing."""

    horizons = (Horizon.W1, Horizon.M1)
    models = ("drift", "lgbm", "no_change")

    def __init__(self, lake: Lake, *, models: tuple[str, ...] | None = None, tag: str = "a") -> None:
        self.lake, self.tag = lake, tag
        self.models = models or self.models
        self.panel = random_walk()
        table = {"session": self.panel.sessions, "date": self.panel.dates, "price": self.panel.price}
        self.manifest = RunManifest(
            market="zl",
            as_of=session_date(AS_OF),
            as_of_session=AS_OF,
            profile="quick",
            simulated=True,
            datasets={"panel": put_table(lake, f"panel/{tag}", pa.table(table))},
            refits=(),
            cutoff_every=5,
            windows={
                h: ScoredWindow(burn_in_start=BURN_IN, start=SCORED, end=(AS_OF - h.sessions) // 5 * 5)
                for h in self.horizons
            },
            members=tuple(Member(model_id=m, horizon=h) for m in self.models for h in self.horizons),
            catalogue_sha256=("0" if tag == "a" else "1") * 64,
        )
        self.reference = lake.put_json(f"manifest/{tag}", self.manifest.model_dump(mode="json"))

    def y_hat(self, model: str, horizon: Horizon, sessions: np.ndarray) -> np.ndarray:
        y = self.panel.targets(horizon)[np.searchsorted(self.panel.sessions, sessions)]
        rng = np.random.default_rng(len(model) * 1000 + horizon.sessions)
        scale = 0.012 * np.sqrt(horizon.sessions)
        if model == "lgbm":
            return 0.6 * np.nan_to_num(y) + rng.normal(0, 0.3 * scale, len(sessions))
        return np.zeros(len(sessions)) if model == "no_change" else rng.normal(0, 2 * scale, len(sessions))

    def predictions(self, model: str, horizon: Horizon) -> Predictions:
        sessions = np.array(self.manifest.cutoffs(horizon))
        rows = np.searchsorted(self.panel.sessions, sessions)
        return Predictions(
            model_id=model,
            horizon=horizon,
            cutoffs=self.panel.dates[rows],
            sessions=sessions,
            refit_sessions=sessions // 252 * 252,
            price=self.panel.price[rows],
            y_hat=self.y_hat(model, horizon, sessions),
            y=self.panel.targets(horizon)[rows],
        )

    @property
    def export(self) -> DataExported:
        return DataExported(
            market="zl", as_of=self.manifest.as_of, run_id=self.manifest.run_id, manifest=self.reference
        )

    @property
    def regime(self) -> RegimeDetected:
        chances = {f"p_{regime}": [0.25] for regime in Regime}
        history = put_table(self.lake, "regime/h", pa.table({"session": [AS_OF], "state": ["bull"], **chances}))
        return RegimeDetected(
            market="zl",
            run_id=self.manifest.run_id,
            as_of=self.manifest.as_of,
            state=Regime.BULL,
            probabilities=dict.fromkeys(Regime, 0.25),
            previous_state=Regime.BULL,
            nowcast_accuracy=0.97,
            balanced_accuracy=0.9,
            forward_accuracy={"5": 0.8, "21": 0.6},
            persistence_accuracy={"5": 0.8, "21": 0.6},
            n=100,
            history=history,
        )

    def trained(self, model: str, horizon: Horizon) -> ModelTrained:
        predictions = self.predictions(model, horizon)
        return ModelTrained(
            **self._named(model, horizon),
            status="trained",
            predictions=predictions.put(self.lake, f"predictions/{self.tag}-{model}-{horizon}"),
            artifact=None,
            n_cutoffs=len(predictions.sessions),
            refits=4,
            cached_folds=0,
            fit_seconds=1.0,
            peak_mb=100.0,
            metrics=unscored(),
        )

    def failed(self, model: str, horizon: Horizon) -> ModelFailed:
        return ModelFailed(**self._named(model, horizon), error="did not converge")

    def parts(self, failed: tuple[str, ...] = ()) -> list:
        members = [
            self.failed(m.model_id, m.horizon) if m.model_id in failed else self.trained(m.model_id, m.horizon)
            for m in self.manifest.members
        ]
        return [self.export, self.regime, *members]

    def argument(self, key: str = "ensemble/x") -> dict:
        return {
            "lake": self.lake.url,
            "key": key,
            "manifest": self.reference.model_dump(mode="json"),
            "regime": self.regime.model_dump(mode="json"),
            "trained": [self.trained(m, h).model_dump(mode="json") for m in self.models for h in self.horizons],
            "failed": [],
            "awaited": [],
        }

    def _named(self, model: str, horizon: Horizon) -> dict:
        return {
            "market": "zl",
            "run_id": self.manifest.run_id,
            "model_id": model,
            "family": "trees" if model == "lgbm" else "statistical",
            "horizon": horizon,
            "device": "cpu",
            "dataset": "full",
        }


@pytest.fixture
def world_of():
    return World


@pytest.fixture
def world(tmp_path) -> World:
    return World(Lake(str(tmp_path / "lake")))


@pytest.fixture
def panel() -> Dataset:
    return random_walk()


@pytest.fixture
def as_of() -> date:
    return session_date(AS_OF)
