"""A model sees the features that the market file declares for its horizons, and no others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cbi_common.catalogue.spec import Catalogue, ModelSpec, load_catalogue
from cbi_common.core.horizon import Horizon
from cbi_common.events.manifest import Member
from cbi_common.events.training import Job
from cbi_common.markets import load_market
from cbi_common.storage.lake import Lake
from cbi_common.storage.markets import put_market
from cbi_common.testing.walks import HashLearner, grid_refits, make_manifest, put_dataset, random_dataset
from cbi_common.training import job
from cbi_common.training.environment import Environment
from cbi_common.training.plan import job_key

ENVIRONMENT = Environment(device="cpu", libraries=("numpy",))
NAMES = ("zl_return_1", "zl_vol_21", "zl_ma_ratio_252", "season_return_63", "of_nobody")
PLAIN = random_dataset(700)
DATA = replace(PLAIN, features=PLAIN.features[:, np.arange(len(NAMES)) % PLAIN.features.shape[1]], names=NAMES)
W1, M3 = Horizon.W1, Horizon.M3


def model(dataset: str) -> ModelSpec:
    return ModelSpec(
        id="tiny",
        family="trees",
        learner="drift",
        device="cpu",
        dataset=dataset,
        horizons=(W1, M3),
        refit_every={"smoke": 1},
        why="Walks a dataset in a test.",
    )


def catalogue(dataset: str) -> Catalogue:
    known = load_catalogue()
    return known.model_copy(update={"models": (*known.models, model(dataset))})


def seen(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, horizons: tuple[Horizon, ...], dataset: str = "full"
) -> tuple[set[str], set[str]]:
    """Names that the fits and the forecasts were shown."""
    monkeypatch.setattr(job, "load_catalogue", lambda: catalogue(dataset))
    base, _ = make_manifest(lake, DATA, ("drift",), refits=grid_refits(DATA, ("tiny",), every=63, first=300))
    members = tuple(Member(model_id="tiny", horizon=h) for h in horizons)
    manifest = base.model_copy(update={"datasets": {dataset: put_dataset(lake, DATA)}, "members": members})
    ref = lake.put_json(f"manifest/{manifest.run_id}", manifest.model_dump(mode="json"))
    asked = Job(model_id="tiny", horizons=horizons, spec_sha256=model(dataset).sha256)
    learner = HashLearner()
    argument = {
        "lake": lake.url,
        "manifest": ref.model_dump(),
        "job": asked.model_dump(),
        "key": f"{horizons}{dataset}",
    }
    job.train(argument, [learner], ENVIRONMENT)
    return {n for d in learner.trains for n in d.names}, {n for d in learner.views for n in d.names}


@pytest.mark.parametrize(
    ("horizons", "names"),
    [
        ((W1,), {"zl_return_1", "zl_vol_21", "of_nobody"}),
        ((M3,), {"zl_vol_21", "zl_ma_ratio_252", "season_return_63", "of_nobody"}),
        ((W1, M3), set(NAMES)),
    ],
)
def test_fits_and_forecasts_see_what_is_declared_for_their_horizons(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, horizons: tuple[Horizon, ...], names: set[str]
) -> None:
    assert seen(Lake(str(tmp_path)), monkeypatch, horizons) == (names, names)


def test_columns_of_a_wide_table_are_no_features_of_the_market_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert seen(Lake(str(tmp_path)), monkeypatch, (W1,), "trump_rich") == (set(NAMES), set(NAMES))


def test_another_choice_is_another_fold_and_another_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake, market = Lake(str(tmp_path)), load_market("zl")
    manifest, _ = make_manifest(lake, DATA, ("drift",))
    asked = Job(model_id="drift", horizons=(W1,), spec_sha256=load_catalogue().model("drift").sha256)
    moved = tuple(f.model_copy(update={"horizons": (M3,)}) if f.name == "zl_vol_21" else f for f in market.features)
    keys = set()
    for features in (market.features, moved):
        other = market.model_copy(update={"features": features})
        run = manifest.model_copy(update={"market_file": put_market(lake, other)})
        keys.add(job_key(run, asked, "full", ENVIRONMENT))
        keys.add(DATA.without(other.withheld_from([W1])).digests([600])[0])
    assert len(keys) == 4
