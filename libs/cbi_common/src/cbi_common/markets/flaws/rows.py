"""Flaws of rows: repeated, missing, misdated, out of order."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from cbi_common.markets.flaws.spoiled import FEW, RUN, Place, Rows, Spoiled, put, some, values, with_rows
from cbi_common.timeseries.calendar import sessions_between


def duplicate_rows(table: pa.Table, place: Place, intensity: int, rng: np.random.Generator) -> Spoiled:
    """Load some rows twice."""
    rows = some(table, FEW[intensity], rng)
    return Spoiled(with_rows(table, table.take(rows), place.date), count=len(rows))


def conflicting_rows(table: pa.Table, place: Place, intensity: int, rng: np.random.Generator) -> Spoiled:
    """Load some rows twice, the second time with another value."""
    rows = some(table, FEW[intensity], rng)
    again = table.take(rows)
    again = put(again, place.column, values(again, place.column) * 1.01)
    return Spoiled(with_rows(table, again, place.date), (place.column,), len(rows))


def multiplied_rows(table: pa.Table, place: Place, intensity: int, rng: np.random.Generator) -> Spoiled:
    """Join the table with one that has several rows a day: each row comes 2, 3 or 5 times, one column differs."""
    times = {1: 2, 2: 3, 3: 5}[intensity]
    joined = table.take(np.repeat(np.arange(table.num_rows), times))
    joined = put(joined, place.column, values(joined, place.column) + rng.random(joined.num_rows))
    return Spoiled(joined, (), (times - 1) * table.num_rows)


def weekend_rows(table: pa.Table, place: Place, intensity: int, rng: np.random.Generator) -> Spoiled:
    """Date copies of Friday's rows on the Saturday after."""
    fridays = np.flatnonzero((values(table, place.date).astype(np.int64) + 3) % 7 == 4)
    chosen = np.sort(rng.choice(fridays[1:-1], size=min(FEW[intensity], len(fridays) - 2), replace=False))
    return _copied(table, place, chosen, np.timedelta64(1, "D"))


def holiday_rows(table: pa.Table, place: Place, intensity: int, rng: np.random.Generator) -> Spoiled:
    """Carry rows on to the holiday after them."""
    days = values(table, place.date)
    sessions = sessions_between(days[0].item(), days[-1].item())
    closed = np.is_busday(days + np.timedelta64(1, "D")) & ~np.isin(days + np.timedelta64(1, "D"), sessions)
    before = np.flatnonzero(closed[:-1])
    chosen = np.sort(rng.choice(before, size=min({1: 2, 2: 5, 3: 15}[intensity], len(before)), replace=False))
    return _copied(table, place, chosen, np.timedelta64(1, "D"))


def missing_sessions(table: pa.Table, _place: Place, intensity: int, rng: np.random.Generator) -> Spoiled:
    """Lose a run of rows in the middle."""
    length = {1: 3, 2: 20, 3: 203}[intensity]
    start = int(rng.integers(table.num_rows // 4, table.num_rows // 2))
    return Spoiled(pa.concat_tables([table.slice(0, start), table.slice(start + length)]), (), length)


def shuffled_rows(table: pa.Table, place: Place, intensity: int, rng: np.random.Generator) -> Spoiled:
    """Put some rows in another place."""
    order = np.arange(table.num_rows)
    rows = some(table, FEW[intensity], rng)
    order[rows] = np.roll(rows, 1)
    moved = table.take(order)
    back = int((np.diff(values(moved, place.date)) < np.timedelta64(0)).sum())
    return Spoiled(moved, (), back)


def stale_table(table: pa.Table, _place: Place, intensity: int, _rng: np.random.Generator) -> Spoiled:
    """Stop loading: the last rows are missing."""
    lost = RUN[intensity]
    return Spoiled(table.slice(0, table.num_rows - lost))


def load_time_as_date(table: pa.Table, place: Place, intensity: int, _rng: np.random.Generator) -> Spoiled:
    """Date the last rows with the day on which they were loaded; the load times stand beside them."""
    days, count = values(table, place.date), {1: 0.3, 2: 0.6, 3: 1.0}[intensity] * table.num_rows
    last, rows = days[-1], np.arange(table.num_rows) >= table.num_rows - int(count)
    loaded = np.where(rows, last, days + np.timedelta64(1, "D")).astype("datetime64[us]") + np.timedelta64(7, "h")
    table = put(table, "ingest_timestamp_utc", pa.array(loaded, pa.timestamp("us", tz="UTC")))
    return Spoiled(put(table, place.date, np.where(rows, last, days)), (place.date,))


def bad_dates(table: pa.Table, place: Place, intensity: int, rng: np.random.Generator) -> Spoiled:
    """Write days that no calendar has: none, the year 1677, the year 9999."""
    days = values(table, place.date)
    rows = some(table, FEW[intensity], rng)
    days[rows] = np.resize(np.array(["NaT", "1677-09-21", "9999-12-31"], dtype="datetime64[D]"), len(rows))
    return Spoiled(put(table, place.date, pa.array(days, pa.date32())), (place.date,), len(rows))


def no_rows(table: pa.Table, _place: Place, intensity: int, _rng: np.random.Generator) -> Spoiled:
    """Keep the columns and lose the rows; from the second intensity on the types go too."""
    schema = table.schema if intensity == 1 else pa.schema([(name, pa.null()) for name in table.column_names])
    return Spoiled(schema.empty_table())


def no_column(table: pa.Table, place: Place, intensity: int, _rng: np.random.Generator) -> Spoiled:
    """Lose one, two or three columns."""
    lost = place.columns[:intensity]
    return Spoiled(table.drop_columns(list(lost)), lost)


def several_sources(table: pa.Table, place: Place, intensity: int, rng: np.random.Generator) -> Spoiled:
    """Give some days a row of another symbol that the market file accepts too (place: value, symbol column, symbol)."""
    value, column, symbol = place.columns
    rows = some(table, FEW[intensity], rng)
    more = table.take(rows)
    more = put(more, column, pa.array([symbol] * len(rows), pa.string()))
    return Spoiled(with_rows(table, put(more, value, values(more, value) * 1.002), place.date), (value,), len(rows))


def _copied(table: pa.Table, place: Place, rows: Rows, shift: np.timedelta64) -> Spoiled:
    more = table.take(rows)
    more = put(more, place.date, pa.array(values(more, place.date) + shift))
    return Spoiled(with_rows(table, more, place.date), (), len(rows))
