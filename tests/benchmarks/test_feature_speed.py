"""Time from gated series to the features of a quarter of a century, on the real tables and for the longest market."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest

from cbi_common.markets import load_market
from cbi_common.storage.warehouse import open_warehouse
from ingest.adapters.sources import read_sources
from ingest.domain.features import compute_features
from ingest.domain.gate import examine
from ingest.domain.panel import build_panel

pytestmark = pytest.mark.benchmark

WAREHOUSE = os.environ.get("REAL_WAREHOUSE", "../shared/data/warehouse")
Record = Callable[..., None]


@pytest.mark.parametrize(
    ("name", "warehouse", "budget"),
    [("real tables", WAREHOUSE, 5), ("125 years", "simulated?sessions=31500&seed=1", None)],
)
def test_panel_and_features(record: Record, name: str, warehouse: str, budget: float | None) -> None:
    market = load_market("zl")
    sources = read_sources(market, open_warehouse(warehouse))
    start = time.perf_counter()
    series = examine(market, sources, None).series
    gated = time.perf_counter()
    panel = build_panel(market, series)
    joined = time.perf_counter()
    features = compute_features(market, panel)
    done = time.perf_counter()
    # Those made of articles are joined by who reads the news.
    assert set(features) == {f.name for f in market.features if market.news_series.isdisjoint(f.inputs)}
    record(f"{name}, {len(panel.sessions):,} sessions: panel", joined - gated, "s")
    record(f"{name}: {len(features)} features", done - joined, "s")
    record(f"{name}: panel and features", done - gated, "s", budget)
    record(f"{name}: panel and features / gate of their tables", (done - gated) / (gated - start), "")
