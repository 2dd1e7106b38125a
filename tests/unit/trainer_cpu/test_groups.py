"""Scores by group from stored predictions, against scores counted by hand."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from cbi_common.core.errors import IncompleteError
from cbi_common.core.horizon import Horizon
from cbi_common.events.manifest import RunManifest, ScoredWindow
from cbi_common.events.training import ModelTrained
from cbi_common.markets import load_market
from cbi_common.storage.lake import Lake
from cbi_common.storage.markets import put_market
from cbi_common.storage.tables import put_table
from cbi_common.testing.story import unscored
from cbi_common.timeseries.calendar import session_date, session_number
from cbi_common.training.predictions import Predictions
from cbi_common.training.study import Study
from trainer_cpu.groups import group_scores, unseen_scores

START = session_number(date(2019, 6, 3))
SESSIONS = np.arange(START, START + 500, 5)
Y = np.where(np.arange(100) % 4 == 0, 0.08, 0.01)


@pytest.fixture
def lake(tmp_path: Any) -> Lake:
    return Lake(str(tmp_path))


def run_of(lake: Lake, *, regime: bool = True) -> Any:
    """A run with one model whose forecast is right in half of its size, and one that forecasts volatility."""
    manifest = RunManifest.model_construct(
        market="zl",
        market_file=put_market(lake, load_market("zl")),
        windows={Horizon.M1: ScoredWindow(burn_in_start=START, start=int(SESSIONS[10]), end=int(SESSIONS[-1]))},
        cutoff_every=5,
    )
    predictions = Predictions(
        model_id="half",
        horizon=Horizon.M1,
        cutoffs=np.array([session_date(int(s)) for s in SESSIONS], dtype="datetime64[D]"),
        sessions=SESSIONS,
        refit_sessions=SESSIONS,
        price=np.full(100, 50.0),
        y_hat=Y / 2,
        y=Y,
    )
    trained = ModelTrained(
        market="zl", run_id="r", model_id="half", family="trees", horizon=Horizon.M1, device="cpu", dataset="full",
        status="trained", predictions=predictions.put(lake, "predictions/half"), artifact=None, n_cutoffs=100,
        refits=1, cached_folds=0, fit_seconds=0.0, peak_mb=None,
        metrics=unscored(),
    )  # fmt: skip
    other = trained.model_copy(update={"model_id": "garch", "family": "volatility"})
    labels = ["crisis" if i % 2 else "normal" for i in range(100)]
    history = put_table(lake, "regime/h", pa.table({"session": SESSIONS, "label": labels}))
    stored = lake.put_json("manifest/r", {})
    lake_manifest = {stored.key: manifest}
    return SimpleNamespace(
        correlation_id="r",
        export=SimpleNamespace(data=SimpleNamespace(manifest=stored)),
        regime=SimpleNamespace(data=SimpleNamespace(history=history)) if regime else None,
        results={("half", Horizon.M1): trained, ("garch", Horizon.M1): other},
        manifests=lake_manifest,
    )


@pytest.fixture
def run(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Any:
    made = run_of(lake)
    [manifest] = made.manifests.values()
    monkeypatch.setattr(RunManifest, "model_validate", lambda _: manifest)
    return made


def by_hand(mask: np.ndarray[Any, Any]) -> float:
    actual, forecast = 50 * np.exp(Y[mask]), 50 * np.exp(Y[mask] / 2)
    return float(1 - np.abs(forecast - actual).mean() / np.abs(50 - actual).mean())


def test_by_size_of_the_move_that_followed(lake: Lake, run: Any) -> None:
    found = group_scores(lake, run, Horizon.M1, "move")
    assert list(found) == ["half"]
    scored = np.arange(100) >= 10
    sizes = {score.n: score.skill for score in found["half"].values()}
    big, small = scored & (Y > 0.05), scored & (Y < 0.05)
    assert sizes == {int(big.sum()): pytest.approx(by_hand(big)), int(small.sum()): pytest.approx(by_hand(small))}


def test_by_regime_at_the_cutoff_and_by_era(lake: Lake, run: Any) -> None:
    scored = np.arange(100) >= 10
    regimes = group_scores(lake, run, Horizon.M1, "regime")["half"]
    assert set(regimes) == {"crisis", "normal"}
    assert regimes["crisis"].n == regimes["normal"].n == 45
    assert regimes["crisis"].skill == pytest.approx(by_hand(scored & (np.arange(100) % 2 == 1)))
    eras = group_scores(lake, run, Horizon.M1, "era")["half"]
    assert set(eras) == {"trade_war_2017_2019", "crisis_2020", "inflation_2021_2022"}
    assert sum(score.n for score in eras.values()) == 90


def test_what_was_held_out_is_read_from_the_study(lake: Lake, run: Any) -> None:
    with pytest.raises(IncompleteError, match="held nothing out"):
        unseen_scores(lake, run, Horizon.M1, "era")
    told = unscored(n=30, n_effective=7.0, skill=-0.2)
    study = Study(params={}, eras={"crisis_2008": {Horizon.M1: told}}, left_out={"crisis_2020": "only 3 cutoffs"})
    key = ("half", Horizon.M1)
    kept = lake.put_json("study/x", study.model_dump(mode="json"))
    run.results[key] = run.results[key].model_copy(update={"study": kept})
    found = unseen_scores(lake, run, Horizon.M1, "era")
    assert {group: score.skill for group, score in found["half"].items()} == {"crisis_2008": -0.2}
    with pytest.raises(IncompleteError, match="held nothing out"):
        unseen_scores(lake, run, Horizon.M1, "regime")


def test_a_run_without_a_regime_says_so(lake: Lake, run: Any) -> None:
    run.regime = None
    with pytest.raises(IncompleteError, match="no regime"):
        group_scores(lake, run, Horizon.M1, "regime")
    run.export = None
    with pytest.raises(IncompleteError, match="no manifest"):
        group_scores(lake, run, Horizon.M1, "era")
