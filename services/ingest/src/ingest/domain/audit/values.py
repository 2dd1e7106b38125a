"""Values that a quantity cannot have: broken bars, zeros, minus signs, other units."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from ingest.domain.audit.facts import bars_of
from ingest.domain.audit.sheet import LEAST_ROWS, Floats, Index, Sheet
from ingest.domain.flaws import Flaw

FACTORS = (2204.6226, 100.0, 36.7437, 22.046226, 10.0)
"""Between units that are confused: t and lb, $ and cents, t and bushels of beans, t and cwt, percent and tenths."""

FIT = 0.25
"""Log distance from a factor within which a break is one of units and no move."""

MEASURED = 50
"""Distinct values from which a column has a unit at all."""

LEAP = 1.5
"""Log move that is looked at: less than any factor, more than any day."""

AROUND = 10
"""Values on either side of a break that must stay where they are."""

HOTTEST_C = 58.0
"""Warmer than any day on Earth."""

LEAP_C = 18.0
NEAR_C = 10.0
HEAT_ROWS = 5


def values(sheet: Sheet) -> Iterator[Flaw]:
    """Yield what no price, bar or temperature can be."""
    yield from _bars(sheet)
    yield from _zeros(sheet)
    for name, column in sheet.numbers.items():
        if len(np.unique(column[~np.isnan(column)])) >= MEASURED:
            yield from (_temperatures if "temp" in name.split("_") else _breaks)(sheet, name, column)


def _bars(sheet: Sheet) -> Iterator[Flaw]:
    for bar in bars_of(sheet.table.column_names):
        if bar["close"] in sheet.facts.read or set(bar.values()) & sheet.facts.read:
            continue
        opened, high, low, close = (sheet.column(bar[part]) for part in ("open", "high", "low", "close"))
        slack = 1e-6 * np.abs(close)
        broken = (np.maximum(opened, close) > high + slack) | (np.minimum(opened, close) < low - slack)
        columns = [bar[part] for part in ("open", "high", "low", "close")]
        detail = f"{broken.sum()} rows whose high is not the highest or whose low is not the lowest"
        yield from sheet.flaw("ohlc_order", broken, detail, columns=columns)
        for name in columns:
            column = sheet.column(name)
            yield from sheet.flaw(
                "zero_as_missing", column == 0, f"{name}: {(column == 0).sum()} zeros", columns=[name]
            )
            yield from sheet.flaw(
                "non_positive", column < 0, f"{name}: {(column < 0).sum()} negative prices", columns=[name]
            )


def _zeros(sheet: Sheet) -> Iterator[Flaw]:
    """Zeros far below everything else that a measurement ever was."""
    bars = {name for bar in bars_of(sheet.table.column_names) for name in bar.values()}
    for name, column in sheet.numbers.items():
        known = column[~np.isnan(column)]
        others = known[known != 0]
        if name in bars or len(others) == len(known) or len(others) < LEAST_ROWS or (others < 0).any():
            continue
        far = others.min() > 0.2 * np.median(others)
        whole = np.equal(np.mod(others, 1), 0).all()
        if far and not whole and len(np.unique(others)) > 0.2 * len(others):
            zero = column == 0
            detail = f"{name}: {zero.sum()} zeros, and no other value below {others.min():g}"
            yield from sheet.flaw("zero_as_missing", zero, detail, columns=[name])


def _breaks(sheet: Sheet, name: str, column: Floats) -> Iterator[Flaw]:
    """Days on which a column leaps by the factor between two units and stays there."""
    wrong: list[Index] = []
    for rows in sheet.groups:
        own = rows[column[rows] > 0]
        if len(own) < max(2 * AROUND, 0.5 * np.count_nonzero(~np.isnan(column[rows]))):
            continue
        wrong += [own[part] for part in _other_unit(np.log(column[own]))]
    if wrong:
        found = np.concatenate(wrong)
        detail = f"{name}: {len(found)} rows in another unit than the others"
        yield from sheet.flaw("unit_break", found, detail, columns=[name])


def _other_unit(logs: Floats) -> Iterator[slice]:
    """Yield the stretches whose unit is not that of the longer rest."""
    breaks = [at for at in np.flatnonzero(np.abs(np.diff(logs)) > LEAP) + 1 if _is_factor(logs, int(at))]
    if not breaks:
        return
    edges = [0, *breaks, len(logs)]
    usual = np.median(logs)
    for start, end in pairwise(edges):
        if abs(np.median(logs[start:end]) - usual) > LEAP:
            yield slice(start, end)


def _is_factor(logs: Floats, at: int) -> bool:
    before, after = logs[max(0, at - AROUND) : at], logs[at : at + AROUND]
    if min(len(before), len(after)) < 3 or max(np.ptp(before), np.ptp(after)) > 0.7:
        return False
    leap = abs(float(np.median(after) - np.median(before)))
    return any(abs(leap - np.log(factor)) < FIT for factor in FACTORS)


def _temperatures(sheet: Sheet, name: str, column: Floats) -> Iterator[Flaw]:
    """Degrees Fahrenheit among degrees Celsius: a whole station, or a stretch that only converted fits."""
    wrong: list[Index] = []
    for rows in sheet.groups:
        own = rows[~np.isnan(column[rows])]
        if not len(own):
            continue
        if column[own].max() > HOTTEST_C and np.median(column[own]) > 32:
            wrong.append(own)
            continue
        hot = _hot(column[own])
        if hot.sum() >= HEAT_ROWS:
            wrong.append(own[hot])
    if wrong:
        found = np.concatenate(wrong)
        yield from sheet.flaw("unit_break", found, f"{name}: {len(found)} rows in °F among °C", columns=[name])


def _hot(series: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    hot = np.zeros(len(series), dtype=bool)
    before = float(np.median(series[:AROUND]))
    for i, value in enumerate(series.tolist()):
        converted = (value - 32) / 1.8
        hot[i] = value - before > LEAP_C and abs(converted - before) <= NEAR_C
        before = converted if hot[i] else value
    return hot
