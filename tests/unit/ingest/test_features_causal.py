"""No feature looks ahead: cut the data anywhere, and every value up to there keeps its bits."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

import ingest.domain.features as library
from cbi_common.markets import Market, known_markets, load_market
from cbi_common.storage.warehouse import open_warehouse
from ingest.adapters.sources import read_sources
from ingest.domain.features import compute_features
from ingest.domain.gate import examine
from ingest.domain.kinds import CALENDAR_KINDS, KINDS
from ingest.domain.panel import Panel, build_panel
from ingest.domain.tables import Source

Floats = NDArray[np.float64]

REAL = Path(os.environ.get("REAL_WAREHOUSE", "../shared/data/warehouse"))
MARKETS = ("zl", "wti")


def panel_of(market: Market, sources: Mapping[str, Source], as_of: date | None = None) -> Panel:
    return build_panel(market, examine(market, sources, as_of).series)


def cut(panel: Panel, rows: int) -> Panel:
    series = {name: values[:rows].copy() for name, values in panel.series.items()}
    return Panel(panel.sessions[:rows].copy(), panel.dates[:rows].copy(), panel.price[:rows].copy(), series)


def columns(market: Market, panel: Panel) -> dict[str, Floats]:
    return {"price": panel.price, **panel.series, **compute_features(market, panel)}


def changed(late: Mapping[str, Floats], soon: Mapping[str, Floats]) -> set[str]:
    """Return the columns that differ by a bit on the rows that both have."""
    return {name for name, values in soon.items() if values.tobytes() != late[name][: len(values)].tobytes()}


@pytest.fixture(scope="module")
def panels(long_panel: Panel) -> dict[str, Panel]:
    wti = load_market("wti")
    return {"zl": long_panel, "wti": panel_of(wti, read_sources(wti, open_warehouse("arch")))}


@pytest.fixture(scope="module")
def whole(panels: dict[str, Panel]) -> dict[str, dict[str, Floats]]:
    return {name: columns(load_market(name), panel) for name, panel in panels.items()}


def test_every_market_and_every_kind_is_tried() -> None:
    assert set(MARKETS) == set(known_markets())
    tried = {feature.kind for name in MARKETS for feature in load_market(name).features}
    assert tried == KINDS.keys() | CALENDAR_KINDS.keys()


# All remainders of eight: vectorised loops treat the last rows of an array differently.
@pytest.mark.parametrize("rows", [*range(1240, 1248), 63, 252, 253, 1599])
@pytest.mark.parametrize("name", MARKETS)
def test_features_of_data_cut_at_t_are_bit_identical(
    panels: dict[str, Panel], whole: dict[str, dict[str, Floats]], name: str, rows: int
) -> None:
    assert changed(whole[name], columns(load_market(name), cut(panels[name], rows))) == set()


def centred_mean(x: Floats, *, window: int) -> Floats:
    return np.asarray(np.log(x / np.convolve(x, np.ones(window) / window, mode="same")))


def full_sample_zscore(x: Floats, *, window: int) -> Floats:
    return np.asarray((x - np.nanmean(x)) / np.nanstd(x))


def backward_fill(x: Floats, *, window: int) -> Floats:
    gappy = pd.Series(x).where(np.arange(len(x)) % 7 == 0)
    return gappy.bfill().to_numpy()


def smoothed_both_ways(x: Floats, *, window: int) -> Floats:
    ahead = pd.Series(x).ewm(span=window).mean()
    return ahead[::-1].ewm(span=window).mean()[::-1].to_numpy()


@pytest.mark.parametrize("planted", [centred_mean, full_sample_zscore, backward_fill, smoothed_both_ways])
def test_a_kind_that_looks_ahead_is_found(
    panels: dict[str, Panel], monkeypatch: pytest.MonkeyPatch, planted: Callable[..., Floats]
) -> None:
    market = load_market("zl")
    monkeypatch.setattr(library, "KINDS", {**KINDS, "ma_ratio": planted})
    spoiled = {feature.name for feature in market.features if feature.kind == "ma_ratio"}
    late, soon = columns(market, panels["zl"]), columns(market, cut(panels["zl"], 1301))
    assert changed(late, soon) == spoiled != set()


@pytest.fixture(scope="module")
def real() -> tuple[dict[str, Source], Panel, dict[str, Floats]]:
    market = load_market("zl")
    sources = read_sources(market, open_warehouse(str(REAL)))
    panel = panel_of(market, sources)
    return sources, panel, columns(market, panel)


@pytest.mark.real_data
@pytest.mark.parametrize("rows", [1000, 4502, 6003])
def test_features_of_real_data_cut_at_t_are_bit_identical(
    real: tuple[Any, Panel, dict[str, Floats]], rows: int
) -> None:
    _, panel, late = real
    assert changed(late, columns(load_market("zl"), cut(panel, rows))) == set()


@pytest.mark.real_data
@pytest.mark.parametrize("as_of", [date(2013, 10, 16), date(2020, 4, 20)])
def test_tables_cut_at_t_give_the_same_panel_and_features(
    real: tuple[dict[str, Source], Panel, dict[str, Floats]], as_of: date
) -> None:
    sources, panel, late = real
    early = panel_of(load_market("zl"), sources, as_of)
    assert early.dates[-1] == np.datetime64(as_of)
    assert early.sessions.tobytes() == panel.sessions[: len(early.sessions)].tobytes()
    assert changed(late, columns(load_market("zl"), early)) == set()


@pytest.mark.real_data
def test_every_feature_says_something_in_the_real_tables(real: tuple[Any, Panel, dict[str, Floats]]) -> None:
    _, panel, found = real
    market = load_market("zl")
    recent = panel.dates >= np.datetime64("2020-01-01")
    for feature in (f for f in market.features if market.news_series.isdisjoint(f.inputs)):
        values = found[feature.name]
        assert (~np.isnan(values[recent])).mean() > 0.6, feature.name
        assert len(np.unique(values[~np.isnan(values)])) > 100 or feature.kind == "expiry_days", feature.name
