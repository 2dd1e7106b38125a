"""How much of the skill that can be had the ensemble has: 20 simulated markets that nothing was chosen on.

The yardsticks are the expectations of observers who know the process but not its regime: what can be known from prices,
sentiment and the VIX (`vix` of the truth), and what whoever has no model that reads the news can know (`unread`): there
is none here. Cutoffs are those of the scored window, matured; at this predictability the oracle's skill is at least .15
at every horizon. Figures go to var/bench, one line per market as it is done.

SIMULATED_MARKETS asks for fewer or more markets.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from cbi_common.core.horizon import Horizon
from cbi_common.storage.lake import Lake
from cbi_common.storage.tables import get_table
from cbi_common.timeseries.dataset import Floats

pytestmark = pytest.mark.benchmark

CBI = str(Path(sys.executable).parent / "cbi")
MARKETS = int(os.environ.get("SIMULATED_MARKETS", "20"))
SEEDS = range(2001, 2001 + MARKETS)
PREDICTABILITY = 0.2
SCORED_SESSIONS = 60 * 21
KNOWN = ("vix", "unread")
TARGET = 0.8
Record = Callable[..., None]
Errors = dict[str, float]


def cbi(*arguments: str) -> None:
    environment = {**os.environ, "CBI_TRACKING": "off"}
    done = subprocess.run([CBI, *arguments], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]


def errors_of(folder: Path, seed: int) -> dict[str, Errors]:
    """Return, by horizon, the mean absolute errors (¢/lb) of what was served, of no-change and of those who know."""
    truth_file, lake = folder / "truth.parquet", folder / "lake"
    setting = ("--seed", str(seed), "--predictability", str(PREDICTABILITY))
    cbi("simulate", "--to", str(folder / "market"), "--truth", str(truth_file), *setting)
    shutil.rmtree(folder / "market")
    url = f"simulated?seed={seed}&predictability={PREDICTABILITY}"
    cbi("run", "--warehouse", url, "--profile", "quick", "--lake", str(lake), "--json", str(folder / "report.json"))
    (stored,) = (lake / "refs" / "ensemble").glob("*.served.json")
    found = Lake(str(lake))
    reference = found.find(f"ensemble/{stored.name.removesuffix('.json')}")
    assert reference is not None
    served, truth = get_table(found, reference), pq.read_table(truth_file)
    known = dict(zip(truth["session"].to_pylist(), range(truth.num_rows), strict=True))
    horizons = np.array(served["horizon"].to_pylist())
    columns = {name: served[name].to_numpy() for name in ("session", "price", "y_hat", "y")}
    best = {h: {name: truth[f"{name}_{h}"].to_numpy() for name in KNOWN} for h in Horizon}
    return {str(h): _errors(columns, horizons == str(h), best[h], known) for h in Horizon}


def _errors(
    columns: dict[str, Floats], mine: NDArray[np.bool_], expected: Mapping[str, Floats], known: Mapping[int | None, int]
) -> Errors:
    rows = {name: values[mine] for name, values in columns.items()}
    last = rows["session"][np.isfinite(rows["y"])].max()
    scored = np.isfinite(rows["y"]) & (rows["session"] > last - SCORED_SESSIONS)
    price, actual = rows["price"][scored], (rows["price"] * np.exp(rows["y"]))[scored]
    place = [known[session] for session in rows["session"][scored].tolist()]
    said = {"served": rows["y_hat"][scored], "no_change": np.zeros(len(place))}
    said |= {name: values[place] for name, values in expected.items()}
    errors = {name: float(np.mean(np.abs(price * np.exp(y_hat) - actual))) for name, y_hat in said.items()}
    return {**errors, "n": int(scored.sum())}


@pytest.mark.timeout(7200)
def test_share_of_the_achievable_skill(tmp_path: Path, record: Record) -> None:
    log = Path("var/bench/achievable_skill.jsonl")
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)

    def measured(seed: int) -> dict[str, Errors]:
        folder = tmp_path / str(seed)
        folder.mkdir()
        market = errors_of(folder, seed)
        shutil.rmtree(folder)
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"seed": seed, **market}) + "\n")
        return market

    # Two at a time: a pass has parts that leave a core idle.
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(measured, SEEDS))
    for horizon in Horizon:
        mine = [market[str(horizon)] for market in found]
        skill = {name: float(np.mean([1 - m[name] / m["no_change"] for m in mine])) for name in ("served", *KNOWN)}
        for name, value in skill.items():
            record(f"achievable skill, {horizon}: {name}", value, "")
        for name in KNOWN:
            record(f"achievable skill, {horizon}: served / {name}", skill["served"] / skill[name], "", budget=TARGET)
