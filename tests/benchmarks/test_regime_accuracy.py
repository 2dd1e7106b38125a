"""How near the regime service comes to the exact filter on 20 simulated markets.

Given the rules' labels, as in every run, it names the hidden regime as well as the rules do and no better. What it
reads out of the market is seen when its labels are the true regimes, known up to each refit. Two yardsticks: the filter
that knows the process and sees the same two series, and the one that sees palm, crude and the news as well. The prices
are rounded as in the tables, because two classifiers so close to each other change places for less than that.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from cbi_common.markets.files import load_market
from cbi_common.markets.simulation.history import Setting, draw
from cbi_common.markets.simulation.process import STATE
from cbi_common.storage.lake import Lake
from cbi_common.testing.hidden_regimes import exact_filter
from cbi_common.timeseries.calendar import session_numbers
from cbi_common.timeseries.dataset import Floats
from cbi_common.timeseries.regimes import rule_labels
from regime.walk import Panel, walk

pytestmark = pytest.mark.benchmark

SEEDS = range(6001, 6021)
SESSIONS = 6300
SERVED = 2016
TARGET = 0.95
Record = Callable[..., None]


class Accuracies(NamedTuple):
    """How often each names the regime: the service taught by the truth and by the rules, the filters of its series."""

    service: float
    taught_by_rules: float
    price_and_vix: float
    all_series: float


def accuracies(lake: Lake, setting: Setting) -> Accuracies:
    history = draw(setting)
    sessions, _ = session_numbers(history.days)
    price, fear = np.exp(history.states[:, [STATE.index("oil"), STATE.index("vix")]]).round(4).T
    panel, first = Panel(sessions, history.days, price, fear), int(sessions[-1]) - SERVED
    rules = rule_labels(sessions, price, fear, load_market("zl").regime)
    taught, ruled = (walk(lake, panel, labels, first) for labels in (history.regimes, rules))
    truth = history.regimes[-len(taught.sessions) :]
    beliefs = (taught.chances, ruled.chances, exact_filter(setting), exact_filter(setting, STATE))
    return Accuracies(*(float(np.mean(one[-len(truth) :].argmax(axis=1) == truth)) for one in beliefs))


@pytest.mark.timeout(7200)
def test_share_of_the_exact_filters_accuracy(tmp_path: Path, record: Record) -> None:
    log = Path("var/bench/regime_accuracy.jsonl")
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    found = []
    for seed in SEEDS:
        found.append(accuracies(Lake(str(tmp_path)), Setting(SESSIONS, seed)))
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"seed": seed, **found[-1]._asdict()}) + "\n")
    service, ruled, same, whole = np.array(found).T
    record("regime, simulated: accuracy", float(service.mean()), "")
    record("regime, simulated: accuracy, taught by the rules", float(ruled.mean()), "")
    _record_shares(record, "regime, share of the filter of price and VIX", service / same)
    _record_shares(record, "regime, share of the filter of all series", service / whole)
    _record_shares(record, "regime taught by the rules, share of the filter of price and VIX", ruled / same)


def _record_shares(record: Record, name: str, shares: Floats) -> None:
    record(name, float(shares.mean()), "", budget=TARGET)
    record(f"{name}: standard error", float(shares.std(ddof=1) / np.sqrt(len(shares))), "")
    record(f"{name}: worst market", float(shares.min()), "")
