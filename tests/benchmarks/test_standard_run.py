"""Time and memory of the whole catalogue on the real tables, and how the cost grows with models and cutoffs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cbi_common.catalogue.spec import load_catalogue
from cbi_common.core.horizon import Horizon
from cbi_common.events.manifest import Refit
from cbi_common.storage.lake import Lake
from cbi_common.testing.walks import random_dataset
from cbi_common.training.fold_cache import FoldCache
from cbi_common.training.walk_forward import Recipe, walk_forward
from trainer_cpu.adapters.lightgbm_regression import LightGbm

pytestmark = pytest.mark.benchmark

CBI = str(Path(sys.executable).parent / "cbi")
WAREHOUSE = os.environ.get("REAL_WAREHOUSE", "../shared/data/warehouse")
Record = Callable[..., None]


def run(lake: Path, report: Path, as_of: str) -> tuple[float, dict[str, Any]]:
    start = time.perf_counter()
    where = ("--warehouse", WAREHOUSE, "--lake", str(lake), "--json", str(report))
    subprocess.run([CBI, "run", "--profile", "standard", *where, "--as-of", as_of], check=True, capture_output=True)
    return time.perf_counter() - start, json.loads(report.read_text())


@pytest.mark.real_data
@pytest.mark.timeout(7200)
def test_standard_profile_on_real_tables(tmp_path: Path, record: Record) -> None:
    cold, first = run(tmp_path / "lake", tmp_path / "a.json", "2025-05-15")
    assert {model["status"] for model in first["models"]} == {"trained"}
    record("standard, cold: wall", cold, "s", budget=1500)
    record("standard, cold: models (yardsticks and further volatility horizons too)", len(first["models"]), "")
    record("standard, cold: peak PSS of the stack", first["peak_rss_mb"], "MB", budget=5120)
    record("standard: largest job", max(model["peak_mb"] for model in first["models"]), "MB", budget=1536)
    fits = first["timings"]["fit_cpu_s"]
    record("standard, cold: fit CPU seconds", fits, "s")
    record(
        "standard, cold: share of the cores not spent fitting", 1 - fits / (cold * first["timings"]["cores"]), "", 0.15
    )

    record("standard: ensemble and bands of five horizons", first["timings"]["stages"]["ensemble"], "s", budget=20)

    again, second = run(tmp_path / "lake", tmp_path / "b.json", "2025-05-15")
    record("standard, same inputs again: wall", again, "s", budget=20)
    assert second["timings"]["fit_cpu_s"] == 0
    assert second["forecasts"] == first["forecasts"]

    more, third = run(tmp_path / "lake", tmp_path / "c.json", "2025-05-16")
    record("standard, one more day: wall", more, "s", budget=120)
    record("standard, one more day / cold", more / cold, "")
    assert third["timings"]["fit_cpu_s"] < fits


def test_cost_grows_linearly(tmp_path: Path, record: Record) -> None:
    """Twice the cutoffs with their refits, or twice the models, cost about twice as much."""
    data = random_dataset(4000, columns=40, seed=3)
    params = load_catalogue().model("lgbm").params

    def seconds(name: str, cutoffs: int, models: int) -> float:
        first = 4000 - 5 * cutoffs
        sessions = range(first, 4000, 126)
        refits = [Refit(date=date(2020, 1, 1), session=s, model_ids=("m",), cause="grid") for s in sessions]
        start = time.perf_counter()
        for seed in range(models):
            recipe = Recipe(LightGbm(), (Horizon.M1,), params, seed, lambda t: np.ones(len(t.sessions)), {"harness": 1})
            walk_forward(data, refits, list(range(first, 4000, 5)), recipe, FoldCache(Lake(str(tmp_path / name))))
        return time.perf_counter() - start

    seconds("warm", 50, 1)
    base = seconds("base", 200, 1)
    record("400 cutoffs / 200 cutoffs", seconds("cutoffs", 400, 1) / base, "")
    record("4 models / 1 model", seconds("models", 200, 4) / base, "")
