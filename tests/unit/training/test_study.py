"""Hold-outs and tuning: what was held out is not seen, what lies after 2019 is not looked at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cbi_common.core.horizon import Horizon
from cbi_common.storage.lake import Lake
from cbi_common.testing.walks import HashLearner
from cbi_common.timeseries.calendar import session_date, session_number
from cbi_common.timeseries.dataset import Dataset, Floats
from cbi_common.training.fold_cache import FoldCache
from cbi_common.training.holdout import held_out
from cbi_common.training.tuning import UNTIL, tune
from cbi_common.training.walk_forward import Recipe

LAST = session_number(UNTIL)


class Memory:
    """Predicts the mean outcome of the rows it was given, times a parameter; its artifact tells which rows."""

    name = "memory"

    def fit(self, train: Dataset, horizons: Any, params: Any, weights: Floats, seed: int) -> bytes:
        del seed
        means = []
        for horizon in horizons:
            targets = train.targets(horizon)
            rows = np.isfinite(targets) & (weights > 0)
            means.append(params["times"] * float(targets[rows].mean()))
        learned = train.sessions[weights > 0]
        return np.array([*means, len(learned), *learned], dtype=np.float64).tobytes()

    def load(self, artifact: bytes) -> Floats:
        return np.frombuffer(artifact)

    def forecast(self, model: Floats, view: Dataset) -> Floats:
        del view
        return model[:1]


def trending(n: int = 3000, last: int = LAST + 500, drift: float = 0.002) -> Dataset:
    sessions = np.arange(last - n + 1, last + 1)
    moves = np.random.default_rng(1).normal(drift, 0.01, n)
    return Dataset(
        sessions=sessions,
        dates=np.array([session_date(int(s)) for s in sessions], dtype="datetime64[D]"),
        price=20 * np.exp(np.cumsum(moves)),
        features=np.random.default_rng(2).normal(size=(n, 2)),
        names=("a", "b"),
    )


def recipe(**changes: Any) -> Recipe:
    base = Recipe(Memory(), (Horizon.M1,), {"times": 1.0}, 7, lambda t: np.ones(len(t.sessions)), {"harness": 1})
    return replace(base, **changes)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path))


def test_a_group_and_what_overlaps_with_it_are_not_learned(lake: Lake) -> None:
    data = trending()
    inside = (data.sessions >= LAST - 900) & (data.sessions < LAST - 600)
    seen: list[np.ndarray[Any, Any]] = []

    class Spy(Memory):
        def fit(self, train: Dataset, horizons: Any, params: Any, weights: Floats, seed: int) -> bytes:
            seen.append(train.sessions[weights > 0])
            assert weights[weights > 0].mean() == pytest.approx(1.0)
            return super().fit(train, horizons, params, weights, seed)

    found = held_out(data, {"quiet": inside}, recipe(learner=Spy()), FoldCache(lake))
    [learned] = seen
    assert not ((learned >= LAST - 900 - 21) & (learned < LAST - 600 + 21)).any()
    assert len(learned) == 3000 - 300 - 2 * 21
    score = found.scores["quiet"][Horizon.M1]
    y = data.targets(Horizon.M1)
    rows = inside & (data.sessions % 5 == 0)
    said = y[np.isfinite(y) & np.isin(data.sessions, learned)].mean()
    errors = np.abs(data.price[rows] * (np.exp(said) - np.exp(y[rows])))
    naive = np.abs(data.price[rows] * (1 - np.exp(y[rows])))
    assert score.n == 60
    assert score.skill == pytest.approx(1 - errors.mean() / naive.mean())


def test_a_group_of_which_nothing_can_be_said_has_a_reason(lake: Lake) -> None:
    data = trending(600)
    few, everything = np.arange(600) < 30, np.ones(600, dtype=bool)
    found = held_out(data, {"few": few, "everything": everything}, recipe(), FoldCache(lake))
    assert found.scores == {}
    assert found.left_out == {"few": "only 6 cutoffs", "everything": "no row is left to learn from"}


CHOICES = {"times": [-1.0, 0.0, 1.2, 50.0]}


def test_the_best_parameters_before_2020_are_chosen(lake: Lake) -> None:
    found = tune(lake, trending(), recipe(params={"times": -1.0}), CHOICES, trials=12)
    assert found is not None
    assert found.params["times"] == 1.2
    assert found.trials[0] == {"params": {}, "loss": pytest.approx(found.trials[0]["loss"])}
    losses = {trial["params"]["times"]: trial["loss"] for trial in found.trials[1:]}
    assert losses[50.0] > losses[-1.0] > losses[1.2]
    assert len(found.trials) == 13
    again = tune(lake, trending(), recipe(params={"times": -1.0}), CHOICES, trials=12)
    assert again == found


def test_nothing_after_2019_is_looked_at(lake: Lake, tmp_path: Path) -> None:
    data = trending()
    later = data.sessions > LAST
    crashed = replace(
        data, price=np.where(later, 1.0, data.price), features=np.where(later[:, None], 9.0, data.features)
    )
    other = Lake(str(tmp_path / "other"))
    learner = HashLearner()
    before = tune(lake, data, recipe(learner=learner), {"depth": [1, 2, 3]}, trials=4)
    assert before == tune(other, crashed, recipe(learner=HashLearner()), {"depth": [1, 2, 3]}, trials=4)
    assert max(learner.forecasts) <= LAST


def test_too_short_a_past_is_not_tuned(lake: Lake) -> None:
    assert tune(lake, trending(n=700, last=LAST + 650), recipe(), CHOICES, trials=3) is None
