"""How the cost grows: with models, cutoffs and rows in CPU seconds of the harness, with cores in the time of a run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import date
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from cbi_common.catalogue.spec import load_catalogue
from cbi_common.core.horizon import Horizon
from cbi_common.events.manifest import Refit
from cbi_common.storage.lake import Lake
from cbi_common.testing.page import draw, table, write_section
from cbi_common.testing.repeats import Repeats, in_turn
from cbi_common.testing.standard import DAY_BEFORE, cbi_run
from cbi_common.testing.walks import random_dataset
from cbi_common.training.fold_cache import FoldCache
from cbi_common.training.walk_forward import Recipe, walk_forward
from trainer_cpu.adapters.lightgbm_regression import LightGbm

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3600)]

TIMES, ROWS, CUTOFFS, REFIT_SESSIONS, FACTORS = 5, 3000, 100, 126, (1, 2, 4)
WAREHOUSE = os.environ.get("REAL_WAREHOUSE", "../shared/data/warehouse")
Record = Callable[..., None]
_places = count()


def walk_s(folder: Path, *, models: int = 1, cutoffs: int = CUTOFFS, rows: int = ROWS) -> float:
    """CPU seconds of so many models over so many weekly cutoffs at the end of so many rows, on an empty lake."""
    data, params = random_dataset(rows, columns=40, seed=3), load_catalogue().model("lgbm").params
    first, cache = rows - 5 * cutoffs, FoldCache(Lake(str(folder / str(next(_places)))))
    refits = [
        Refit(date=date(2020, 1, 1), session=session, model_ids=("m",), cause="grid")
        for session in range(first, rows, REFIT_SESSIONS)
    ]
    start = time.process_time()
    for seed in range(models):
        recipe = Recipe(LightGbm(), (Horizon.M1,), params, seed, lambda t: np.ones(len(t.sessions)), {"harness": 1})
        walk_forward(data, refits, list(range(first, rows, 5)), recipe, cache)
    return time.process_time() - start


def test_cost_grows_in_proportion(tmp_path: Path, record: Record) -> None:
    walk_s(tmp_path)  # loads what the first walk would pay for
    kinds: dict[str, Callable[[int], float]] = {
        "models": lambda k: walk_s(tmp_path, models=k),
        "cutoffs": lambda k: walk_s(tmp_path, cutoffs=k * CUTOFFS),
        "rows": lambda k: walk_s(tmp_path, rows=k * ROWS),
    }
    curves: dict[str, list[Repeats]] = {}
    for kind, measure in kinds.items():
        found = in_turn([lambda k=k, m=measure: m(k) for k in FACTORS], TIMES)  # type: ignore[misc]
        curves[kind] = [one.over(found[0]) for one in found]
        for factor, ratio in zip(FACTORS, curves[kind], strict=True):
            record(f"cost of {factor} × the {kind}", ratio.middle, "times")
    rows = [(f"× {k}", *(curves[kind][i] for kind in kinds)) for i, k in enumerate(FACTORS)]
    write_section("scaling", table(("", *(f"{kind}: cost" for kind in kinds)), rows))
    points = {kind: [(k, one.middle) for k, one in zip(FACTORS, found, strict=True)] for kind, found in curves.items()}
    draw("scaling", "Cost of a walk-forward, CPU seconds", points, x="times as many", y="times the cost", ideal=True)


@pytest.mark.real_data
def test_a_second_core(tmp_path: Path, record: Record) -> None:
    """A quick run on an empty lake with one core and with all: what is not parallel decides how much is gained."""
    everyone = os.sched_getaffinity(0)
    times = {}
    for cores in range(1, len(everyone) + 1):
        os.sched_setaffinity(0, set(sorted(everyone)[:cores]))
        try:
            lake = tmp_path / f"lake-{cores}"
            times[cores] = cbi_run(WAREHOUSE, lake, DAY_BEFORE, tmp_path / f"{cores}.json", "quick")
        finally:
            os.sched_setaffinity(0, everyone)
    for cores, made in times.items():
        record(f"quick, {cores} cores: speed over one core", times[1].wall_s / made.wall_s, "times")
    assert len({repr(made.report["forecasts"]) for made in times.values()}) == 1, "forecasts depend on the cores"
    rows = [
        (n, f"{m.wall_s:.0f}", f"{m.cpu_s:.0f}", f"{times[1].wall_s / m.wall_s:.2f}", f"{m.cpu_s / m.wall_s / n:.0%}")
        for n, m in times.items()
    ]
    write_section("cores", table(("cores", "wall s", "CPU s", "speed", "cores' time in use"), rows))
    curve = {"quick run": [(n, times[1].wall_s / m.wall_s) for n, m in times.items()]}
    draw("cores", "A quick run on more cores", curve, x="cores", y="times as fast", ideal=True)
