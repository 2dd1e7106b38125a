"""Folder warehouses for tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from cbi_common.markets.files import load_market
from cbi_common.storage.warehouse import open_warehouse


def write_simulated_folder(folder: Path, *, sessions: int, seed: int, wide: bool = False) -> None:
    """Write the simulated market as a folder of ``DATASET.TABLE.parquet`` files; ``wide``: the unread tables too."""
    warehouse = open_warehouse(f"simulated?sessions={sessions}&seed={seed}")
    folder.mkdir(parents=True, exist_ok=True)
    for name in warehouse.tables() if wide else load_market("zl").tables:
        pq.write_table(warehouse.read(name), folder / f"{name}.parquet")


def rewrite(folder: Path, copy: Path, change: Callable[[str, pa.Table], pa.Table]) -> None:
    """Copy a folder warehouse through ``change(name, table)``; a table it returns unchanged is linked, not copied."""
    copy.mkdir(parents=True, exist_ok=True)
    for path in sorted(folder.glob("*.parquet")):
        table = pq.read_table(path).replace_schema_metadata(None)
        changed = change(path.stem, table)
        if changed is table:
            (copy / path.name).symlink_to(path)
        else:
            pq.write_table(changed, copy / path.name)
