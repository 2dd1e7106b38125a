"""Time to make the longest simulated market: 125 years of trading days, wide tables and truth included."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cbi_common.markets.simulation import Setting
from cbi_common.markets.simulation.tables import Tables
from cbi_common.markets.simulation.truth import reveal
from cbi_common.storage.simulated_folder import write_folder
from cbi_common.storage.warehouse import open_warehouse

pytestmark = pytest.mark.benchmark


def test_125_years(tmp_path: Path, record: Callable[..., None]) -> None:
    start = time.perf_counter()
    tables = Tables(Setting(31_500, 1))
    made = {name: tables.make(name) for name in tables.names}
    record("simulated market, 31,500 sessions: all tables", time.perf_counter() - start, "s", budget=20)
    assert made["models_v4.production_training_data_1m"].num_rows == 31_500
    start = time.perf_counter()
    assert len(reveal(Setting(31_500, 1)).days) == 31_500
    record("simulated market, 31,500 sessions: truth", time.perf_counter() - start, "s")
    start = time.perf_counter()
    write_folder(open_warehouse("simulated?sessions=31500&seed=1"), tmp_path / "market", force=False)
    record("simulated market, 31,500 sessions: written as a folder", time.perf_counter() - start, "s", budget=20)
