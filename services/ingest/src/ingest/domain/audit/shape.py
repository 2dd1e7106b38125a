"""Columns that say nothing, or say it too long: empty, constant, stand-ins, opening and closing runs, copies."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ingest.domain.audit.sheet import LEAST_ROWS, Floats, Index, Sheet
from ingest.domain.flaws import Flaw

STAND_INS = {"rsi": 50.0, "rin": 1.5, "sentiment": 0.5, "feature": 0.5}
"""Part of a column's name to the number that programs write there when they have none."""

PLACEHOLDER_SHARE = 0.25
VALUES = 10
"""Distinct values from which a column is a measurement and no flag or class."""

LONG_RUN = 10
LONG_OPENING = 20
TIMES = 3
"""A run at either end is no habit of the column when it is this many times as long as the longest within."""


def shape(sheet: Sheet) -> Iterator[Flaw]:
    """Yield what the columns' values look like, whatever they mean."""
    if sheet.numbers and not sheet.facts.read and all(np.isnan(values).all() for values in sheet.numbers.values()):
        detail = f"none of the {len(sheet.numbers)} columns of numbers has a value"
        yield from sheet.flaw(
            "all_null",
            np.arange(sheet.table.num_rows),
            detail,
            columns=list(sheet.numbers),
            done="table rejected",
            severity="rejected",
            count=len(sheet.numbers),
        )
        return
    usable: dict[str, Floats] = {}
    for name, values in sheet.numbers.items():
        known = values[~np.isnan(values)]
        if not len(known):
            yield from _whole(sheet, "all_null", name, f"{name}: no value in {len(values)} rows")
        elif len(known) >= LEAST_ROWS and (known == known[0]).all():
            check = "placeholder" if _stands_in(name, known[0]) else "constant"
            yield from _whole(sheet, check, name, f"{name}: {known[0]:g} in all {len(known)} rows that have a value")
        else:
            usable[name] = values
    for name, values in usable.items():
        yield from _runs(sheet, name, values)
    yield from _copies(sheet, usable)


def _whole(sheet: Sheet, check: str, name: str, detail: str) -> list[Flaw]:
    done = "column dropped" if sheet.facts.role == "dataset" else ""
    return sheet.flaw(check, np.arange(sheet.table.num_rows), detail, columns=[name], done=done, count=1)


def _runs(sheet: Sheet, name: str, values: Floats) -> Iterator[Flaw]:
    opening: list[Index] = []
    closing: list[Index] = []
    stuck: list[Index] = []
    stand_in: list[Index] = []
    for rows in sheet.groups:
        own = rows[~np.isnan(values[rows])]
        series = values[own]
        if len(own) < LEAST_ROWS or len(np.unique(series)) < VALUES:
            stand_in += [own[_standing_in(name, series)]] if len(own) >= LEAST_ROWS else []
            continue
        starts, lengths = _run_lengths(series)
        stand_in.append(own[_placeholders(name, series, starts, lengths)])
        longest = int(lengths[1:-1].max(initial=1))
        if lengths[0] >= max(LONG_OPENING, TIMES * longest):
            opening.append(own[: lengths[0]])
        if lengths[-1] >= max(LONG_RUN, TIMES * longest):
            closing.append(own[starts[-1] :])
        stuck += [own[s : s + n] for s, n in _stuck(series, starts, lengths)]
    yield from _found(sheet, "placeholder", name, stand_in, "rows hold one and the same stand-in value")
    yield from _found(sheet, "opening_run", name, opening, "rows open the column with one value: filled backwards")
    yield from _found(sheet, "frozen_tail", name, closing, "rows end the column with one value")
    yield from _found(sheet, "frozen_run", name, stuck, "rows repeat one value within the column")


def _found(sheet: Sheet, check: str, name: str, parts: list[Index], what: str) -> list[Flaw]:
    rows = np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
    if not len(rows):
        return []
    value = sheet.numbers[name][rows[0]]
    return sheet.flaw(check, rows, f"{name}: {len(rows)} {what} ({value:g})", columns=[name])


def _stands_in(name: str, value: float) -> bool:
    return any(part in name and value == usual for part, usual in STAND_INS.items())


def _standing_in(name: str, series: Floats) -> NDArray[np.bool_]:
    """Rows of a column of few values that hold its stand-in, when that is not one value among a few classes."""
    hit = np.zeros(len(series), dtype=bool)
    for part, usual in STAND_INS.items():
        if part in name:
            hit |= series == usual
    return hit if hit.mean() >= PLACEHOLDER_SHARE else np.zeros(len(series), dtype=bool)


def _placeholders(name: str, series: Floats, starts: Index, lengths: Index) -> NDArray[np.bool_]:
    """Rows that hold the usual value of a column that mostly has another one each time."""
    distinct, counts = np.unique(series, return_counts=True)
    usual = distinct[np.argmax(counts)]
    hit = series == usual
    known = _stands_in(name, float(usual))
    # Zero may be a count, and one long run is frozen rather than a stand-in.
    scattered = usual != 0 and int((series[starts] == usual).sum()) > 2 and (lengths[series[starts] == usual] > 1).any()
    if hit.mean() < PLACEHOLDER_SHARE or not (known or (scattered and _moves_otherwise(series, usual))):
        return np.zeros(len(series), dtype=bool)
    return np.asarray(hit, dtype=np.bool_)


def _moves_otherwise(series: Floats, usual: float) -> bool:
    """Whether the other values hardly ever repeat: then the column is a measurement with a hole in it."""
    others = series[series != usual]
    return len(np.unique(others)) > 0.5 * len(others) and not bool(np.equal(np.mod(others, 1), 0).all())


def _stuck(series: Floats, starts: Index, lengths: Index) -> Iterator[tuple[int, int]]:
    """Runs inside a column that otherwise moves every day."""
    moving = np.mean(np.diff(series) != 0) if len(lengths) > 1 else 0.0
    single = np.mean(lengths == 1)
    if single < 0.9 or moving < 0.5:
        return
    for start, length in zip(starts[1:-1], lengths[1:-1], strict=True):
        if length >= LONG_RUN:
            yield int(start), int(length)


def _run_lengths(series: Floats) -> tuple[Index, Index]:
    starts = np.flatnonzero(np.concatenate([[True], series[1:] != series[:-1]]))
    return starts, np.diff(np.append(starts, len(series)))


def _copies(sheet: Sheet, usable: dict[str, Floats]) -> Iterator[Flaw]:
    groups: dict[bytes, list[str]] = {}
    for name in sorted(usable):
        values = usable[name]
        known = values[~np.isnan(values)]
        if len(known) >= LEAST_ROWS and len(np.unique(known)) >= VALUES:
            groups.setdefault(hashlib.sha256(values.tobytes()).digest(), []).append(name)
    for same in groups.values():
        if len(same) > 1:
            done = f"{same[0]} kept" if sheet.facts.role == "dataset" else ""
            detail = f"{', '.join(same[:6])}: {len(same)} columns with the same values"
            rows = np.arange(min(sheet.table.num_rows, 5))
            yield from sheet.flaw("identical_columns", rows, detail, columns=same, done=done, count=len(same) - 1)
