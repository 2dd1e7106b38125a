"""The predictions of the benchmark: read as they stand, known at as_of, stored for the gates."""

from __future__ import annotations

from datetime import date
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa

from cbi_common.core.errors import DataError
from cbi_common.core.horizon import Horizon
from cbi_common.core.identity import sha256_hex
from cbi_common.events.base import LakeRef
from cbi_common.markets.benchmark import BenchmarkSpec
from cbi_common.storage.lake import Lake
from cbi_common.storage.tables import table_bytes
from cbi_common.storage.warehouse import Warehouse
from cbi_common.timeseries.calendar import Days, session_numbers

_ORDER: list[tuple[str, Literal["ascending", "descending"]]] = [
    (name, "ascending") for name in ("horizon", "session", "made", "predicted")
]
COLUMNS = ("horizon", "cutoff", "target", "predicted_price", "made_at")


class Benchmark(NamedTuple):
    """Where the predictions lie, or why there are none."""

    ref: LakeRef | None
    absent: str = ""


def store_benchmark(lake: Lake, spec: BenchmarkSpec | None, warehouse: Warehouse, as_of: date) -> Benchmark:
    """Store the predictions that had been written by ``as_of``.

    A table that cannot be read costs the candidate a gate and nobody a forecast.

    Returns
    -------
    Benchmark
        The stored table has ``horizon``, ``session``, ``target_session``, ``predicted`` and ``made`` (day), sorted.
    """
    if spec is None:
        return Benchmark(None)
    if spec.table not in warehouse.tables():
        return Benchmark(None, f"the warehouse has no table {spec.table}: `cbi benchmark export-sql` writes one")
    try:
        table = _canonical(warehouse.read(spec.table, COLUMNS), as_of)
    except (DataError, ValueError, pa.ArrowNotImplementedError) as error:
        said = error.line() if isinstance(error, DataError) else str(error).splitlines()[0]
        return Benchmark(None, f"{spec.table} cannot be read: {said}")
    if not table.num_rows:
        return Benchmark(None, f"{spec.table} has no prediction made by {as_of}")
    stored = table_bytes(table)
    return Benchmark(lake.put(f"benchmark/{sha256_hex(stored)}", stored))


def _canonical(table: pa.Table, as_of: date) -> pa.Table:
    cutoff, target, made = (_days(table, name) for name in ("cutoff", "target", "made_at"))
    known = made <= np.datetime64(as_of)
    horizons = np.array([str(value) for value in table["horizon"].to_pylist()], dtype=object)
    known &= np.isin(horizons, [str(horizon) for horizon in Horizon])
    found = pa.table(
        {
            "horizon": pa.array(horizons, pa.string()),
            "session": pa.array(session_numbers(cutoff)[0], pa.int64()),
            "target_session": pa.array(session_numbers(target)[0], pa.int64()),
            "predicted": pa.array(table["predicted_price"].to_numpy().astype(np.float64)),
            "made": pa.array(made, pa.date32()),
        }
    )
    return found.filter(pa.array(known)).sort_by(_ORDER)


def _days(table: pa.Table, name: str) -> Days:
    column = table[name]
    if column.null_count:
        raise DataError("a day is missing", where=name)
    if pa.types.is_string(column.type):
        return np.array([str(text)[:10] for text in column.to_pylist()], dtype="datetime64[D]")
    return column.to_numpy().astype("datetime64[D]")
