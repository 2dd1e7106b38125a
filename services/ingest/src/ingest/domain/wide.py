"""A wide table as a dataset: its columns on the canonical sessions, as known at each close."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cbi_common.core.errors import DataError
from cbi_common.core.horizon import Horizon
from cbi_common.events.manifest import TableRows
from cbi_common.markets.datasets import ColumnRule, DatasetSpec, rule_of
from cbi_common.timeseries.calendar import session_numbers
from cbi_common.timeseries.dataset import INDEX_COLUMNS
from ingest.domain.masks import frozen, opening_run
from ingest.domain.rows import read_days

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RESERVED = (*INDEX_COLUMNS, *(f"weight_{scheme}" for scheme in ("plan", "capped", "uniform")))
"""Names that an exported file uses itself."""


@dataclass(frozen=True)
class WideTable:
    """A wide table with one row per session, as it stands there.

    Attributes
    ----------
    sessions : (n,) int64, ascending
    values : name to (n,) float64
        Columns that may be features, NaN where empty.
    own_targets : horizon to (n,) float64
    dropped : every other column to the reason
    duplicate_rows, non_session_rows : int
    """

    sessions: Ints
    values: dict[str, Floats]
    own_targets: dict[Horizon, Floats]
    dropped: dict[str, str]
    duplicate_rows: int
    non_session_rows: int


def choose_columns(
    schema: pa.Schema, spec: DatasetSpec, rules: Sequence[ColumnRule]
) -> tuple[list[str], dict[str, str]]:
    """Return the columns that may be features, sorted by name, and every other one with the reason.

    The order of the table's columns, and columns that cannot be used, change nothing.
    """
    kept, dropped, types = [], {}, dict(zip(schema.names, schema.types, strict=True))
    for name in sorted(types.keys() - {spec.date}):
        kind = types[name]
        drop = rule_of(rules, name).drop
        if name in spec.target_columns():
            dropped[name] = "other_target: the table's own target; targets are recomputed from the canonical price"
        elif drop is not None:
            dropped[name] = drop
        elif name in RESERVED:
            dropped[name] = "reserved: a dataset has a column of its own of this name"
        elif not _is_number(kind):
            dropped[name] = f"wrong_type: holds {kind}, not numbers"
        else:
            kept.append(name)
    return kept, dropped


def read_wide(table: pa.Table, spec: DatasetSpec, rules: Sequence[ColumnRule], as_of: date) -> WideTable:
    """Return the rows of the table up to ``as_of`` that lie on a session, one per session.

    Of several rows of one session each column keeps the lower median of its distinct values: one that really stood
    there, and the same however rows are shuffled or repeated.

    Parameters
    ----------
    table : pa.Table
        Has the date column, the columns that `choose_columns` keeps, and the table's own targets.
    """
    kept, dropped = choose_columns(table.schema, spec, rules)
    targets = {name: h for name, h in spec.target_columns().items() if name in table.column_names}
    days = _days(table, spec)
    passed = ~np.isnat(days) & (days <= np.datetime64(as_of))
    sessions, on_session = session_numbers(days[passed])
    names = [*kept, *targets]
    columns = [_numbers(table[name])[passed][on_session] for name in names]
    values = np.column_stack(columns) if columns else np.empty((int(on_session.sum()), 0))
    single, merged = _one_per_session(sessions[on_session], values)
    by_name = dict(zip(names, merged.T, strict=True))
    return WideTable(
        sessions=single,
        values={name: by_name[name] for name in kept},
        own_targets={horizon: by_name[name] for name, horizon in targets.items()},
        dropped=dropped,
        duplicate_rows=int(on_session.sum()) - len(single),
        non_session_rows=int((~on_session).sum()),
    )


def table_rows(wide: WideTable, sessions: Ints) -> TableRows:
    """Count what became of the rows; ``sessions`` are those of the dataset."""
    return TableRows(
        rows=len(wide.sessions) + wide.duplicate_rows + wide.non_session_rows,
        duplicate_rows=wide.duplicate_rows,
        non_session_rows=wide.non_session_rows,
        sessions_without_row=int((~np.isin(sessions, wide.sessions)).sum()),
    )


def reach(wide: WideTable, spec: DatasetSpec, sessions: Ints) -> NDArray[np.bool_]:
    """Return which canonical sessions the dataset covers: from the first row until the last one is too old."""
    if not len(wide.sessions):
        return np.zeros(len(sessions), dtype=bool)
    covered: NDArray[np.bool_] = (sessions >= wide.sessions[0]) & (
        sessions <= wide.sessions[-1] + spec.staleness_sessions
    )
    return covered


def columns_as_known(
    wide: WideTable, spec: DatasetSpec, rules: Sequence[ColumnRule], sessions: Ints
) -> dict[str, Floats]:
    """Return every column on the given sessions, as known at their closes.

    Values that the rules exclude, opening runs and frozen runs are unknown. A value is known ``lag_sessions`` after its
    row and is carried over rows that say nothing for ``staleness_sessions`` at most.
    """
    if not wide.values:
        return {}
    found = [rule_of(rules, name) for name in wide.values]
    values = np.column_stack(list(wide.values.values()))
    lows = np.array([-np.inf if rule.above is None else rule.above for rule in found])
    values = np.where(np.isfinite(values) & (values > lows), values, np.nan)
    limits = np.array([rule.frozen_after or spec.frozen_after for rule in found], dtype=np.int64)
    values[opening_run(values) | frozen(values, limits)] = np.nan
    lags = np.array([spec.lag_sessions if rule.lag_sessions is None else rule.lag_sessions for rule in found])
    result = np.full((len(sessions), len(found)), np.nan)
    for lag in np.unique(lags):
        own = lags == lag
        result[:, own] = _carried(sessions, wide.sessions + lag, values[:, own], spec.staleness_sessions)
    return dict(zip(wide.values, result.T, strict=True))


def raw_reasons(wide: WideTable) -> Mapping[str, str]:
    """Return the columns that are empty or hold one value throughout the table, each with the reason."""
    reasons = {}
    for name, values in wide.values.items():
        known = values[~np.isnan(values)]
        if not len(known):
            reasons[name] = f"all_null: no value in {len(values)} rows"
        elif (known == known[0]).all():
            reasons[name] = f"constant: {known[0]:g} in all {len(known)} rows that have a value"
    return reasons


def _carried(sessions: Ints, released: Ints, values: Floats, staleness: int) -> Floats:
    """`cbi_common.timeseries.panel.as_known` for many columns at once."""
    row = np.searchsorted(released, sessions, side="right") - 1
    if not len(released):
        return np.full((len(sessions), values.shape[1]), np.nan)
    place = np.where(~np.isnan(values), np.arange(len(values))[:, None], -1)
    latest = np.maximum.accumulate(place, axis=0)[np.maximum(row, 0)]
    said = np.take_along_axis(values, np.maximum(latest, 0), axis=0)
    fresh = (row >= 0)[:, None] & (latest >= 0) & (sessions[:, None] - released[latest] <= staleness)
    return np.where(fresh, said, np.nan)


def _one_per_session(sessions: Ints, values: Floats) -> tuple[Ints, Floats]:
    order = np.argsort(sessions, kind="stable")
    sessions, values = sessions[order], values[order]
    single, starts, counts = np.unique(sessions, return_index=True, return_counts=True)
    merged = values[starts].copy()
    for group in np.flatnonzero(counts > 1):
        merged[group] = _lower_median(values[starts[group] : starts[group] + counts[group]])
    return single, merged


def _lower_median(block: Floats) -> Floats:
    ordered = np.sort(block, axis=0)  # NaN last
    distinct = ~np.isnan(ordered)
    distinct[1:] &= ordered[1:] != ordered[:-1]
    rank = np.cumsum(distinct, axis=0)
    middle = (rank[-1] + 1) // 2
    chosen = np.argmax(rank >= middle, axis=0)
    median: Floats = np.take_along_axis(ordered, chosen[None, :], axis=0)[0]
    return median


def _days(table: pa.Table, spec: DatasetSpec) -> NDArray[np.datetime64]:
    if spec.date not in table.column_names:
        raise DataError(f"no column {spec.date!r}", where=spec.table, hint="name its date column in the market file")
    kind = table.schema.field(spec.date).type
    if not (pa.types.is_date(kind) or pa.types.is_timestamp(kind)):
        raise DataError(f"column {spec.date!r} holds {kind}, not dates", where=spec.table, hint="convert it to a date")
    return read_days(table, spec.date)


def _numbers(column: pa.ChunkedArray[Any]) -> Floats:
    numbers: Floats = pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_null(kind)
    )
