"""How near the regime service comes to the exact filter: 20 simulated markets, labelled with their true regimes.

Given the rules' labels it names the hidden regime as well as the rules do and no better. What it reads out of the
market is seen when its labels are the true regimes, known up to each refit. Two yardsticks: the filter that knows the
process and sees the same two series, and the one that sees palm, crude and the news as well. The prices are rounded as
in the tables, because two classifiers so close to each other change places for less than that.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cbi_common.markets.simulation.history import Setting, draw
from cbi_common.markets.simulation.process import STATE
from cbi_common.storage.lake import Lake
from cbi_common.testing.hidden_regimes import exact_filter
from cbi_common.timeseries.calendar import session_numbers
from cbi_common.timeseries.dataset import Floats
from regime.walk import Panel, walk

pytestmark = pytest.mark.benchmark

SEEDS = range(6001, 6021)
SESSIONS = 6300
SERVED = 2016
TARGET = 0.95
Record = Callable[..., None]


def accuracies(lake: Lake, setting: Setting) -> tuple[float, float, float]:
    """Return how often the service, the filter of its two series and the filter of all series name the regime."""
    history = draw(setting)
    sessions, _ = session_numbers(history.days)
    price, fear = np.exp(history.states[:, [STATE.index("oil"), STATE.index("vix")]]).round(4).T
    panel = Panel(sessions, history.days, price, fear)
    called = walk(lake, panel, history.regimes, int(sessions[-1]) - SERVED)
    truth = history.regimes[-len(called.sessions) :]
    beliefs = (called.chances, exact_filter(setting), exact_filter(setting, STATE))
    service, same, whole = (float(np.mean(one[-len(truth) :].argmax(axis=1) == truth)) for one in beliefs)
    return service, same, whole


@pytest.mark.timeout(7200)
def test_share_of_the_exact_filters_accuracy(tmp_path: Path, record: Record) -> None:
    log = Path("var/bench/regime_accuracy.jsonl")
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    found = []
    for seed in SEEDS:
        found.append(accuracies(Lake(str(tmp_path)), Setting(SESSIONS, seed)))
        line = dict(zip(("service", "price_and_vix", "all_series"), found[-1], strict=True))
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"seed": seed, **line}) + "\n")
    service, same, whole = np.array(found).T
    record("regime, simulated: accuracy", float(service.mean()), "")
    for name, filtered in (("price and VIX", same), ("all series", whole)):
        mean, error = _mean(service / filtered)
        record(f"regime, share of the filter of {name}", mean, "", budget=TARGET)
        record(f"regime, share of the filter of {name}: standard error", error, "")
        record(f"regime, share of the filter of {name}: worst market", float((service / filtered).min()), "")


def _mean(ratios: Floats) -> tuple[float, float]:
    return float(ratios.mean()), float(ratios.std(ddof=1) / np.sqrt(len(ratios)))
