"""Poison for the future and a comparison of the past: a leak shows as a past that changed (DOMAIN section 6)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Literal, assert_never

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Mode = Literal["noise", "delete", "append"]

_WEEK = 7

Column = Any


def poison(table: pa.Table, date_column: str, after: date, mode: Mode, rng: np.random.Generator) -> pa.Table:
    """Return the table with its rows dated later than ``after`` made worthless.

    Rows up to ``after``, and rows without a date, keep their values and their order.

    Parameters
    ----------
    table : pa.Table
    date_column : str
        Column of dates, timestamps or ISO 8601 strings.
    after : date
        Last day to leave alone.
    mode : {"noise", "delete", "append"}
        ``noise`` multiplies every number by an independent lognormal factor, so signs and missing values stay;
        ``delete`` removes each row with probability 1/3; ``append`` adds copies of the rows with their dates moved
        by whole weeks past the last one, so that no day occurs twice that did not before.
    rng : numpy.random.Generator

    Raises
    ------
    ValueError
        When the column cannot be read as dates.
    """
    days = _days(table, date_column)
    late = days > np.datetime64(after)
    if not late.any():
        return table
    if mode == "noise":
        return _noisy(table, date_column, late, rng)
    if mode == "delete":
        return table.filter(pa.array(~late | (rng.random(len(days)) >= 1.0 / 3.0)))
    if mode == "append":
        span = int((days[late].max() - days[late].min()).astype(np.int64))
        extra = table.filter(pa.array(late))
        return pa.concat_tables([table, _moved(extra, date_column, (span // _WEEK + 1) * _WEEK)])
    assert_never(mode)


def first_difference(before: Any, after: Any, until_session: int, *, session: str = "session") -> str | None:
    """Return what first differs between two tables among the rows up to a session, or None when they agree bit for bit.

    Parameters
    ----------
    before, after : pa.Table, pandas.DataFrame or mapping of names to arrays
        Rows in order. NaN equals NaN, null equals null, 0.0 and -0.0 differ.
    until_session : int
    session : str
        Integer column that a row is chosen by.

    Returns
    -------
    str or None
        Names the column, the session and both values of the difference with the lowest session.
    """
    old, new = _until(before, until_session, session), _until(after, until_session, session)
    if old.schema.names != new.schema.names or old.schema.types != new.schema.types:
        return f"columns differ: {_columns(old)} became {_columns(new)}"
    old_sessions, new_sessions = (table[session].to_numpy() for table in (old, new))
    rows = min(len(old_sessions), len(new_sessions))
    moved = np.flatnonzero(old_sessions[:rows] != new_sessions[:rows])
    if len(moved) or len(old_sessions) != len(new_sessions):
        at = int(moved[0]) if len(moved) else rows
        return f"row {at}: {_at(old_sessions, at)} became {_at(new_sessions, at)}"
    firsts = [(row, name) for name in old.schema.names if (row := _first_row(old[name], new[name])) is not None]
    if not firsts:
        return None
    row, name = min(firsts, key=lambda first: first[0])
    return f"column {name}, session {old_sessions[row]}: {old[name][row].as_py()!r} became {new[name][row].as_py()!r}"


def _days(table: pa.Table, column: str) -> NDArray[np.datetime64]:
    values = table[column].combine_chunks()
    try:
        if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
            return values.to_numpy(zero_copy_only=False).astype("datetime64[D]")
        return pc.cast(values, pa.date32(), safe=False).to_numpy(zero_copy_only=False).astype("datetime64[D]")
    except (ValueError, pa.ArrowNotImplementedError) as error:
        raise ValueError(f"column {column} of type {values.type} does not hold dates") from error


def _noisy(table: pa.Table, date_column: str, late: NDArray[np.bool_], rng: np.random.Generator) -> pa.Table:
    for index, field in enumerate(table.schema):
        if field.name == date_column or not (pa.types.is_floating(field.type) or pa.types.is_integer(field.type)):
            continue
        values = table.column(index).cast(pa.float64())
        noisy = pc.multiply(values, pa.array(np.where(late, rng.lognormal(0.0, 0.5, len(late)), 1.0)))
        if pa.types.is_integer(field.type):
            noisy = pc.round(noisy)
        changed = pc.if_else(pa.array(late), noisy.cast(field.type, safe=False), table.column(index))
        table = table.set_column(index, field, changed)
    return table


def _moved(table: pa.Table, column: str, days: int) -> pa.Table:
    index = table.schema.get_field_index(column)
    field = table.schema.field(index)
    if pa.types.is_timestamp(field.type):
        shift = pa.scalar(timedelta(days=days), pa.duration(field.type.unit))
        return table.set_column(index, field, pc.add(table.column(index), shift))
    shifted = _days(table, column) + days
    dates = shifted if pa.types.is_date(field.type) else shifted.astype(str)
    return table.set_column(index, field, pa.array(dates, field.type))


def _until(table: Any, last: int, session: str) -> pa.Table:
    found = table if isinstance(table, pa.Table) else pa.table(dict(table) if isinstance(table, Mapping) else table)
    return found.filter(pc.less_equal(found[session], pa.scalar(last))).combine_chunks()


def _first_row(old: Column, new: Column) -> int | None:
    """First row in which two columns of one type and length differ."""
    missing = old.is_null().to_numpy() != new.is_null().to_numpy()
    if pa.types.is_floating(old.type):
        differs = _bits(old) != _bits(new)
    elif old.equals(new):
        return None
    else:
        differs = np.array([a != b for a, b in zip(old.to_pylist(), new.to_pylist(), strict=True)], dtype=bool)
    rows = np.flatnonzero(missing | differs)
    return int(rows[0]) if len(rows) else None


def _bits(column: Column) -> NDArray[np.int64]:
    values: NDArray[np.float64] = column.cast(pa.float64()).to_numpy().copy()
    values[np.isnan(values)] = np.nan
    return values.view(np.int64)


def _columns(table: pa.Table) -> str:
    return ", ".join(f"{field.name} {field.type}" for field in table.schema)


def _at(sessions: NDArray[np.int64], row: int) -> str:
    return f"session {sessions[row]}" if row < len(sessions) else "no row"
