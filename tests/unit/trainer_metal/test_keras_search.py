"""Random search over the settings of a net: every draw is another one, and the seed alone decides which."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cbi_common.catalogue.spec import load_catalogue
from cbi_common.core.errors import InfrastructureError
from cbi_common.core.horizon import Horizon
from cbi_common.storage.lake import Lake
from cbi_common.testing.walks import HashLearner, random_dataset
from cbi_common.timeseries.calendar import session_date, session_number
from cbi_common.training.tuning import UNTIL, tune
from cbi_common.training.walk_forward import Recipe
from trainer_metal.adapters.keras_search import RANDOM

CHOICES: dict[str, list[Any]] = {"units": [[8], [16, 8], [32, 16]], "dropout": [0.3, 0.5]}


def drawn(trials: int, seed: int = 1, choices: Any = CHOICES) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    def loss(params: dict[str, Any]) -> float | None:
        found.append(params)
        return None if len(found) % 2 else 1.0

    RANDOM.run(choices, trials, seed, loss)
    return found


def test_no_draw_comes_twice_and_a_space_that_is_exhausted_ends_the_search() -> None:
    found = drawn(100)
    assert len(found) == 6
    assert all(params["units"] in CHOICES["units"] and params["dropout"] in CHOICES["dropout"] for params in found)
    assert len({str(params) for params in found}) == 6
    assert len(drawn(4)) == 4


def test_the_seed_decides_and_nothing_else() -> None:
    assert drawn(6, seed=3) == drawn(6, seed=3) != drawn(6, seed=30)
    assert drawn(3, seed=0) == drawn(3, seed=0), "a seed of 0 is a seed"


def test_trouble_with_the_lake_is_not_taken_for_a_bad_draw() -> None:
    def away(_: dict[str, Any]) -> float | None:
        raise InfrastructureError("gone", where="lake")

    with pytest.raises(InfrastructureError):
        RANDOM.run(CHOICES, 3, 1, away)


def test_every_net_of_the_catalogue_that_is_tuned_can_be_drawn_for() -> None:
    tuned = [model for model in load_catalogue().models if model.device == "metal" and model.tune]
    assert len(tuned) > 5
    for model in tuned:
        (params,) = drawn(1, model.seed, model.tune)
        assert params.keys() == model.tune.keys()
        assert all(value in model.tune[name] for name, value in params.items())


def test_a_study_tries_what_it_draws_and_chooses_the_best(tmp_path: Path) -> None:
    walk = random_dataset(2600)
    sessions = walk.sessions + session_number(UNTIL) - walk.sessions[-1]
    days = np.array([session_date(int(session)) for session in sessions], dtype="datetime64[D]")
    recipe = Recipe(HashLearner(), (Horizon.M1,), {}, 7, lambda rows: np.ones(len(rows.sessions)), {"harness": 1})
    lake, data = Lake(str(tmp_path)), replace(walk, sessions=sessions, dates=days)
    found = tune(lake, data, recipe, CHOICES, trials=5, search=RANDOM)
    assert found is not None
    assert [trial["params"] for trial in found.trials] == [{}, *drawn(5, recipe.seed)]
    assert found.params == min(found.trials, key=lambda trial: trial["loss"])["params"]
    other = tune(lake, data, recipe, CHOICES, trials=5)
    assert other is not None
    assert other.trials != found.trials, "what another search found is not taken for its own"
