"""A dataset that begins late is walked from its own first refit on and reports its own n."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cbi_common.catalogue.spec import Catalogue, ModelSpec, load_catalogue
from cbi_common.core.errors import DataError
from cbi_common.core.horizon import Horizon
from cbi_common.events.manifest import Member, RunManifest
from cbi_common.events.training import ModelTrained
from cbi_common.storage.lake import Lake
from cbi_common.testing.walks import HashLearner, grid_refits, make_manifest, put_dataset, random_dataset
from cbi_common.timeseries.dataset import Dataset
from cbi_common.training import job
from cbi_common.training.environment import Environment
from cbi_common.training.plan import job_key, plan
from cbi_common.training.predictions import Predictions

ENVIRONMENT = Environment(device="cpu", libraries=("numpy",))
FULL = random_dataset(900)
BEGINS = 400
RICH = replace(
    FULL,
    sessions=FULL.sessions[BEGINS:],
    dates=FULL.dates[BEGINS:],
    price=FULL.price[BEGINS:],
    features=FULL.features[BEGINS:, :3],
    names=("adm_close", "big8", "vix"),
)
TINY = ModelSpec(
    id="tiny",
    family="trees",
    learner="drift",
    device="cpu",
    dataset="rich",
    horizons=(Horizon.W1, Horizon.M1),
    refit_every={"smoke": 1},
    why="Walks the short dataset in a test.",
)


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    known = load_catalogue()
    more = known.model_copy(update={"models": (*known.models, TINY)})
    monkeypatch.setattr(job, "load_catalogue", lambda: more)
    return more


def rich_manifest(lake: Lake, data: Dataset = RICH, **update: Any) -> RunManifest:
    refits = grid_refits(RICH, ("tiny",), every=63, first=BEGINS + 173)
    base, _ = make_manifest(lake, FULL, ("drift",), refits=refits)
    changes = {
        "datasets": {**base.datasets, "rich": put_dataset(lake, data)},
        "members": tuple(Member(model_id="tiny", horizon=h) for h in TINY.horizons),
        **update,
    }
    return base.model_copy(update=changes)


def trained(lake: Lake, manifest: RunManifest, catalogue: Catalogue, learner: HashLearner) -> list[ModelTrained]:
    ref = lake.put_json(f"manifest/{manifest.run_id}", manifest.model_dump(mode="json"))
    done = []
    for one in plan(manifest, catalogue, "cpu"):
        argument = {
            "lake": lake.url,
            "manifest": ref.model_dump(mode="json"),
            "job": one.model_dump(mode="json"),
            "key": job_key(manifest, one, TINY.dataset, ENVIRONMENT),
        }
        done += job.train(argument, (learner,), ENVIRONMENT)
    return done


def test_the_model_starts_with_its_first_refit_and_says_its_own_n(tmp_path: Any, catalogue: Catalogue) -> None:
    lake, learner = Lake(str(tmp_path)), HashLearner("drift")
    manifest = rich_manifest(lake)
    first = manifest.refits[0].session
    models = trained(lake, manifest, catalogue, learner)
    assert [(m.model_id, m.dataset, m.horizon) for m in models] == [("tiny", "rich", h) for h in TINY.horizons]
    for model in models:
        table = Predictions.get(lake, model.predictions)
        window = manifest.windows[model.horizon]
        # The run predicts from session 270 on; this model from its first refit on.
        expected = [s for s in manifest.cutoffs(model.horizon) if s >= first]
        assert table.sessions.tolist() == expected != manifest.cutoffs(model.horizon)
        assert model.metrics.n == sum(window.start <= s <= window.end for s in expected) > 0
        assert model.metrics.mase is not None
        assert model.refits == len(manifest.refits)
    assert {t.names for t in learner.trains} == {RICH.names}
    assert min(t.sessions[0] for t in learner.trains) == BEGINS


def test_labels_come_from_the_short_datasets_own_rows(tmp_path: Any, catalogue: Catalogue) -> None:
    lake = Lake(str(tmp_path))
    (week, _) = trained(lake, rich_manifest(lake), catalogue, HashLearner("drift"))
    table = Predictions.get(lake, week.predictions)
    price = dict(zip(FULL.sessions.tolist(), FULL.price.tolist(), strict=True))
    for session, y in zip(table.sessions.tolist(), table.y.tolist(), strict=True):
        if session + 5 in price:
            assert y == pytest.approx(np.log(price[session + 5] / price[session]))
        else:
            assert np.isnan(y)


def test_columns_are_withheld_until_the_dataset_says_they_are_known(tmp_path: Any, catalogue: Catalogue) -> None:
    lake, learner = Lake(str(tmp_path)), HashLearner("drift")
    second = rich_manifest(lake).refits[1].session
    usable = {"rich": {"vix": BEGINS, "big8": second}, "full": {}}
    trained(lake, rich_manifest(lake, usable_from=usable), catalogue, learner)
    names = {int(t.sessions[-1]): t.names for t in learner.trains}
    assert names[min(names)] == ("vix",)
    assert {names[s] for s in names if s >= second} == {("big8", "vix")}


def test_a_dataset_that_was_not_exported_is_named(tmp_path: Any, catalogue: Catalogue) -> None:
    lake = Lake(str(tmp_path))
    manifest = rich_manifest(lake)
    gone = manifest.model_copy(update={"datasets": {"full": manifest.datasets["full"]}})
    with pytest.raises(DataError, match="no dataset 'rich'"):
        trained(lake, gone, catalogue, HashLearner("drift"))
