"""The simulated market as the gate takes it, small and clean."""

from __future__ import annotations

from pathlib import Path

import pytest

from cbi_common.markets import Market, load_market
from cbi_common.storage.warehouse import open_warehouse
from cbi_common.testing.folders import write_simulated_folder
from ingest.adapters.sources import read_sources
from ingest.domain.gate import examine
from ingest.domain.panel import Panel, build_panel
from ingest.domain.tables import Source


@pytest.fixture(scope="session")
def market() -> Market:
    return load_market("zl")


@pytest.fixture(scope="session")
def clean(market: Market) -> dict[str, Source]:
    return read_sources(market, open_warehouse("simulated?sessions=900&seed=11"))


@pytest.fixture(scope="session")
def long_panel(market: Market) -> Panel:
    """Years enough for means over earlier years."""
    sources = read_sources(market, open_warehouse("simulated?sessions=1600&seed=11"))
    return build_panel(market, examine(market, sources, None).series)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("warehouse") / "tables"
    write_simulated_folder(path, sessions=1500, seed=5)
    return path
