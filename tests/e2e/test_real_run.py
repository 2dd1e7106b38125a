"""The quick profile on the owner's tables: what the report must hold, and that nothing is done twice."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cbi_common.core.horizon import Horizon

pytestmark = [pytest.mark.e2e, pytest.mark.proof, pytest.mark.real_data, pytest.mark.timeout(900)]

Cbi = Callable[..., "subprocess.CompletedProcess[str]"]
HORIZONS = [str(h) for h in Horizon]


@pytest.fixture(scope="module")
def passes(cbi: Cbi, real_warehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Reports of a cold run, the same again, and one more day."""
    home = tmp_path_factory.mktemp("real")
    reports = []
    for number, as_of in enumerate(["2025-05-15", "2025-05-15", "2025-05-16"]):
        report = home / f"{number}.json"
        result = cbi(
            *("run", "--warehouse", str(real_warehouse), "--profile", "quick", "--as-of", as_of),
            *("--lake", str(home / "lake"), "--json", str(report)),
            timeout=600,
        )
        assert result.returncode == 0, result.stderr
        reports.append(json.loads(report.read_text()))
    return reports


def test_every_horizon_has_a_forecast_with_a_band(passes: list[dict[str, Any]]) -> None:
    report = passes[0]
    assert list(report["forecasts"]) == HORIZONS
    assert report["simulated"] is False
    for forecast in report["forecasts"].values():
        assert 0 < forecast["lower_90"] < forecast["point"] < forecast["upper_90"]
        assert forecast["no_change"] == forecast["current"]
        assert forecast["signal"] in {"BUY", "WAIT", "MONITOR"}


def test_every_model_stands_beside_no_change_on_250_weekly_cutoffs(passes: list[dict[str, Any]]) -> None:
    report = passes[0]
    assert {m["status"] for m in report["models"]} == {"trained"}
    for model in report["models"]:
        assert model["metrics"]["n"] >= 250
        assert model["metrics"]["skill"] is not None
        assert model["n_cutoffs"] > model["metrics"]["n"]
    yardstick = {m["horizon"]: m["metrics"] for m in report["models"] if m["model_id"] == "no_change"}
    assert set(yardstick) == set(HORIZONS)
    assert 0.02 <= yardstick["1w"]["mape"] <= 0.05
    mapes = [yardstick[h]["mape"] for h in HORIZONS]
    assert mapes == sorted(mapes)
    for horizon in HORIZONS:
        assert yardstick[horizon]["skill"] == 0
        assert report["ensemble"][horizon]["metrics"]["n"] == yardstick[horizon]["n"]


def test_nothing_is_too_good_to_be_true(passes: list[dict[str, Any]]) -> None:
    for model in passes[0]["models"]:
        assert model["metrics"]["skill"] < 0.2, model["model_id"]


def test_reasons_add_up_to_the_move(passes: list[dict[str, Any]]) -> None:
    report = passes[0]
    for horizon, reason in report["explanations"].items():
        move = report["forecasts"][horizon]["point"] - reason["baseline"]
        assert sum(reason["groups"].values()) + reason["residual"] == pytest.approx(move, abs=1e-9)
        assert abs(reason["residual"]) <= 0.01 * abs(move) + 1e-12


def test_bands_cover_what_they_say_within_noise(passes: list[dict[str, Any]]) -> None:
    coverage = {h: passes[0]["ensemble"][h]["coverage_90"] for h in ("1w", "1m", "3m")}
    assert all(0.8 <= value <= 0.98 for value in coverage.values()), coverage


def test_the_same_inputs_again_fit_nothing_and_say_the_same(passes: list[dict[str, Any]]) -> None:
    first, again, _ = passes
    assert {m["status"] for m in again["models"]} == {"cached"}
    assert again["timings"]["fit_cpu_s"] == 0
    for key in ("run_id", "forecasts", "ensemble", "explanations", "gates", "regime", "datasets"):
        assert again[key] == first[key], key


def test_one_more_day_fits_no_fold_again(passes: list[dict[str, Any]]) -> None:
    first, _, later = passes
    assert later["as_of"] == "2025-05-16"
    assert later["run_id"] != first["run_id"]
    # No refit date lies between the two days, so every fold comes from the cache.
    assert all(m["cached_folds"] == m["refits"] for m in later["models"])
    assert later["timings"]["fit_cpu_s"] == 0
