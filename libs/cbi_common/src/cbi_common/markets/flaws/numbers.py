"""Flaws of values: frozen, filled, in the wrong unit, impossible, or somebody else's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from cbi_common.markets.flaws.spoiled import FEW, RUN, Array, Place, Rows, Spoiled, put, some, values

Wrong = Callable[[Array, Rows], Array]

_LB_PER_TONNE = 2204.6226
_PLACEHOLDERS = {"rsi": 50.0, "rin": 1.5, "sentiment": 0.5}


def frozen_tail(table: pa.Table, place: Place, intensity: int, _rng: np.random.Generator) -> Spoiled:
    """Repeat one value to the end of the table."""
    found = values(table, place.column)
    found[-RUN[intensity] :] = found[-RUN[intensity]]
    return Spoiled(put(table, place.column, found), (place.column,))


def frozen_run(table: pa.Table, place: Place, intensity: int, rng: np.random.Generator) -> Spoiled:
    """Repeat one value for a while in the middle."""
    found = values(table, place.column)
    start = int(rng.integers(table.num_rows // 4, table.num_rows // 2))
    found[start : start + RUN[intensity]] = found[start]
    return Spoiled(put(table, place.column, found), (place.column,))


def opening_run(table: pa.Table, place: Place, intensity: int, _rng: np.random.Generator) -> Spoiled:
    """Fill the first rows backwards with the first value that was observed."""
    found = values(table, place.column)
    found[: RUN[intensity]] = found[RUN[intensity]]
    return Spoiled(put(table, place.column, found), (place.column,))


def all_null(table: pa.Table, place: Place, intensity: int, _rng: np.random.Generator) -> Spoiled:
    """Empty one column, two, or all of the place; at the gross intensity the type goes too."""
    chosen = place.columns[: {1: 1, 2: 2, 3: None}[intensity]]
    for column in chosen:
        kind = pa.null() if intensity == 3 else table.schema.field(column).type
        table = put(table, column, pa.nulls(table.num_rows, kind))
    return Spoiled(table, chosen)


def constant(table: pa.Table, place: Place, intensity: int, rng: np.random.Generator) -> Spoiled:
    """Write one number into every row of one column, two, or all of the place."""
    chosen = place.columns[: {1: 1, 2: 2, 3: None}[intensity]]
    for column in chosen:
        table = put(table, column, np.full(table.num_rows, round(float(rng.uniform(2, 90)), 3)))
    return Spoiled(table, chosen)


def placeholder(table: pa.Table, place: Place, intensity: int, _rng: np.random.Generator) -> Spoiled:
    """Write the number that stands for "not computed" into half of the rows, most or all: RSI 50, RIN 1.5."""
    found = values(table, place.column)
    usual = next(number for part, number in _PLACEHOLDERS.items() if part in place.column)
    found[-int({1: 0.5, 2: 0.8, 3: 1.0}[intensity] * len(found)) :] = usual
    return Spoiled(put(table, place.column, found), (place.column,))


def identical_columns(table: pa.Table, place: Place, intensity: int, _rng: np.random.Generator) -> Spoiled:
    """Store a column again under one, two or three other names."""
    names = tuple(f"{place.column}_{suffix}" for suffix in ("new", "fixed", "copy")[:intensity])
    for name in names:
        table = table.append_column(name, table[place.column])
    return Spoiled(table, names)


def unit_break(table: pa.Table, place: Place, intensity: int, _rng: np.random.Generator) -> Spoiled:
    """Change from $/t to $/lb on a day and stay there."""
    found = values(table, place.column)
    start = int({1: 0.9, 2: 0.6, 3: 0.3}[intensity] * len(found))
    found[start:] /= _LB_PER_TONNE
    return Spoiled(put(table, place.column, found), (place.column,))


def hundredfold(table: pa.Table, place: Place, intensity: int, _rng: np.random.Generator) -> Spoiled:
    """Load the last tenth, the last half or all of the rows in hundredths."""
    found = values(table, place.column)
    start = int({1: 0.9, 2: 0.5, 3: 0.0}[intensity] * len(found))
    found[start:] *= 100
    return Spoiled(put(table, place.column, found), (place.column,))


def fahrenheit(table: pa.Table, place: Place, intensity: int, rng: np.random.Generator) -> Spoiled:
    """Mix °F among °C, for a run of rows."""
    found = values(table, place.column)
    start = int(rng.integers(table.num_rows // 4, table.num_rows // 2))
    found[start : start + RUN[intensity]] = found[start : start + RUN[intensity]] * 1.8 + 32
    return Spoiled(put(table, place.column, found), (place.column,))


def mislabelled(table: pa.Table, place: Place, intensity: int, _rng: np.random.Generator) -> Spoiled:
    """Store the second column's instrument under the first one's name, in its usual size."""
    found, other = values(table, place.columns[0]), values(table, place.columns[1])
    start = int({1: 0.4, 2: 0.2, 3: 0.0}[intensity] * len(found))
    found[start:] = other[start:] * np.nanmedian(found) / np.nanmedian(other)
    return Spoiled(put(table, place.column, found), (place.column,))


def other_values(table: pa.Table, place: Place, intensity: int, rng: np.random.Generator) -> Spoiled:
    """Let some values of a copied series disagree with the series they were copied from."""
    return _at_some(table, place, intensity, rng, lambda found, rows: found[rows] * 1.03)


def interpolated(table: pa.Table, place: Place, intensity: int, _rng: np.random.Generator) -> Spoiled:
    """Draw straight lines between every 5th, 21st or 63rd value and call them observations."""
    found = values(table, place.column)
    known = np.arange(0, len(found), {1: 5, 2: 21, 3: 63}[intensity])
    return Spoiled(put(table, place.column, np.interp(np.arange(len(found)), known, found[known])), (place.column,))


def modelled(table: pa.Table, place: Place, intensity: int, rng: np.random.Generator) -> Spoiled:
    """Fill a tenth, a half or all of the rows from a baseline pattern; the column of sources says so."""
    found = values(table, place.column)
    start = int({1: 0.9, 2: 0.5, 3: 0.0}[intensity] * len(found))
    season = np.sin(np.arange(len(found) - start) / 40)
    found[start:] = np.nanmedian(found) * (1 + 0.05 * season + 0.002 * rng.standard_normal(len(season)))
    sources = ["CBI_V14_Baseline_Pattern" if row >= start else "Yahoo_Finance" for row in range(len(found))]
    table = put(table, "source_name", pa.array(sources, pa.string()))
    return Spoiled(put(table, place.column, found), (), len(found) - start)


def reference_date(table: pa.Table, place: Place, intensity: int, _rng: np.random.Generator) -> Spoiled:
    """Show values on the day they speak of, before they were released (place: columns that are released late)."""
    early = {1: 2, 2: 3, 3: 4}[intensity]
    for column in place.columns:
        found = values(table, column)
        found[:-early] = found[early:]
        table = put(table, column, found)
    return Spoiled(table, place.columns)


def zeros(table: pa.Table, place: Place, intensity: int, rng: np.random.Generator) -> Spoiled:
    """Write 0 where a value is missing."""
    return _at_some(table, place, intensity, rng, lambda _found, rows: np.zeros(len(rows)))


def negatives(table: pa.Table, place: Place, intensity: int, rng: np.random.Generator) -> Spoiled:
    """Give some prices a minus."""
    return _at_some(table, place, intensity, rng, lambda found, rows: -found[rows])


def nulls(table: pa.Table, place: Place, intensity: int, rng: np.random.Generator) -> Spoiled:
    """Lose some values."""
    return _at_some(table, place, intensity, rng, lambda _found, rows: np.full(len(rows), np.nan))


def impossible(table: pa.Table, place: Place, intensity: int, rng: np.random.Generator) -> Spoiled:
    """Write values that the instrument never had."""
    return _at_some(table, place, intensity, rng, lambda found, rows: found[rows] * 1e4)


def misprints(table: pa.Table, place: Place, intensity: int, rng: np.random.Generator) -> Spoiled:
    """Write values a twentieth too high that are right the next time (place: value; column, its content)."""
    value, column, only = place.columns
    of_series = np.flatnonzero(values(table, column) == only)
    apart = of_series[10:-4:4]
    rows = rng.choice(apart, size=min(FEW[intensity], len(apart)), replace=False)
    found = values(table, value)
    found[rows] *= 1.05
    return Spoiled(put(table, value, found), (value,), len(rows))


def broken_bars(table: pa.Table, place: Place, intensity: int, rng: np.random.Generator) -> Spoiled:
    """Exchange high and low (place: high, low)."""
    high, low = (values(table, column) for column in place.columns)
    rows = some(table, FEW[intensity], rng)
    high[rows], low[rows] = low[rows].copy(), high[rows].copy()
    return Spoiled(put(put(table, place.columns[0], high), place.columns[1], low), place.columns, len(rows))


def thin_volume(table: pa.Table, place: Place, intensity: int, rng: np.random.Generator) -> Spoiled:
    """Trade a few hundred contracts on some days, as in a month that nobody holds any more."""
    return _at_some(table, place, intensity, rng, lambda _found, rows: rng.integers(20, 999, len(rows)).astype(float))


def numbers_as_text(table: pa.Table, place: Place, intensity: int, _rng: np.random.Generator) -> Spoiled:
    """Store numbers as text: plain, with a unit, or a word."""
    words = {1: "{:.2f}", 2: "{:.2f} USD", 3: "n/a"}[intensity]
    written = [words.format(value) for value in values(table, place.column)]
    return Spoiled(put(table, place.column, pa.array(written, pa.string())), (place.column,))


def _at_some(table: pa.Table, place: Place, intensity: int, rng: np.random.Generator, wrong: Wrong) -> Spoiled:
    found = values(table, place.column)
    rows = some(table, FEW[intensity], rng)
    found[rows] = wrong(found, rows)
    return Spoiled(put(table, place.column, found), (place.column,), len(rows))
