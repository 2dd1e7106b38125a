"""Noise, deletion and insertion after interior cutoffs change no earlier output by a bit; planted leaks do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from cbi_common.markets.spec import load_market
from cbi_common.testing.folders import rewrite
from cbi_common.testing.poisoning import Pass, first_leak, run_in_fresh_process
from cbi_common.timeseries.calendar import session_date, session_number
from cbi_common.timeseries.leakage import poison

AS_OF = date(2025, 5, 16)
MARKET = load_market("zl")
DATE_OF = {spec.table: spec.date for spec in (*MARKET.series, *MARKET.datasets)}
LEAKS = {
    "centred_feature": ("ingest",),
    "labels_before_they_mature": ("ingest", "trainer-cpu"),
    "scaler_on_all_rows": ("ingest", "trainer-metal"),
    "two_sided_regime": ("ingest", "regime"),
}


def interior_cutoffs() -> list[int]:
    """Five sessions inside the scored and burn-in windows, none on a grid of the others."""
    last = session_number(AS_OF)
    return [last - back for back in (700, 533, 402, 251, 88)]


def poisoned(folder: Path, copy: Path, cutoff: int) -> Path:
    rng = np.random.default_rng(cutoff)
    after = session_date(cutoff)

    def change(name: str, table: pa.Table) -> pa.Table:
        if name not in DATE_OF:
            return table
        # A run needs a price at its as_of, whatever else was deleted.
        last = pc.equal(pc.cast(table[DATE_OF[name]], pa.date32()), pa.scalar(AS_OF))
        kept, rest = table.filter(last), table.filter(pc.invert(last))
        for mode in ("noise", "delete", "append"):
            rest = poison(rest, DATE_OF[name], after, mode, rng)
        return pa.concat_tables([rest, kept])

    rewrite(folder, copy, change)
    return copy


def one_pass(warehouse: Path, home: Path, leak: str | None = None) -> Path:
    home.mkdir(parents=True)
    if leak is None:
        return run_in_fresh_process(Pass(str(warehouse), str(home), AS_OF.isoformat()))
    planted = f"cbi_common.testing.leaks:{leak}"
    return run_in_fresh_process(Pass(str(warehouse), str(home), AS_OF.isoformat(), leak=planted, services=LEAKS[leak]))


@pytest.fixture(scope="module")
def warehouses(real_warehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    root = tmp_path_factory.mktemp("poisoned")
    return {cutoff: poisoned(real_warehouse, root / str(cutoff), cutoff) for cutoff in interior_cutoffs()}


@pytest.mark.e2e
@pytest.mark.real_data
@pytest.mark.timeout(900)
def test_the_future_changes_nothing_before_it(
    real_warehouse: Path, warehouses: dict[int, Path], tmp_path: Path
) -> None:
    with ThreadPoolExecutor(2) as pool:
        clean = pool.submit(one_pass, real_warehouse, tmp_path / "clean")
        dirty = {c: pool.submit(one_pass, folder, tmp_path / str(c)) for c, folder in warehouses.items()}
        leaks = {c: first_leak(clean.result(), run.result(), until=c) for c, run in dirty.items()}
        assert leaks == dict.fromkeys(warehouses)
        # The poison was there: at the last session everything differs.
        assert all(first_leak(clean.result(), run.result(), until=10**6) for run in dirty.values())


@pytest.mark.e2e
@pytest.mark.real_data
@pytest.mark.timeout(900)
def test_every_planted_leak_is_found(real_warehouse: Path, warehouses: dict[int, Path], tmp_path: Path) -> None:
    cutoff = interior_cutoffs()[2]
    with ThreadPoolExecutor(2) as pool:
        runs = {
            leak: (
                pool.submit(one_pass, real_warehouse, tmp_path / leak / "clean", leak),
                pool.submit(one_pass, warehouses[cutoff], tmp_path / leak / "poisoned", leak),
            )
            for leak in LEAKS
        }
        found = {leak: first_leak(a.result(), b.result(), until=cutoff) for leak, (a, b) in runs.items()}
    assert [leak for leak, where in found.items() if where is None] == []
