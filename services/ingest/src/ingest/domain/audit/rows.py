"""Rows that stand there more than once: equal, conflicting, or multiplied by a join."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ingest.domain.audit.sheet import Index, Sheet
from ingest.domain.flaws import Flaw

WIDE = 30
"""Columns from which a table is the product of joins."""

MULTIPLIED = 0.5
"""Repetitions per row from which it is the table that was multiplied, and no row that was loaded twice."""

MOSTLY = 0.8
"""Share of equal columns among rows of one day that tells of a join."""


def repeated_rows(sheet: Sheet) -> Iterator[Flaw]:
    """Yield rows beyond the first of one thing and one day; tables with series count them for themselves."""
    if sheet.facts.role == "series" or sheet.facts.date is None:
        return
    again = _again(sheet)
    if not again.any():
        return
    codes = _codes(sheet)
    if codes.shape[1] >= WIDE:
        yield from _of_a_wide_table(sheet, again, codes)
        return
    equal = again & _equal_before(sheet, codes)
    joined = equal.sum() >= MULTIPLIED * (~again).sum()
    detail = f"{equal.sum()} rows stand there before" + (": a join multiplied them" if joined else "")
    yield from sheet.flaw("multiplied_rows" if joined else "duplicate_row", equal, detail)
    other = again & ~equal
    detail = f"{other.sum()} rows have the day and the names of another row, and other values"
    yield from sheet.flaw("conflicting_duplicate", other, detail)


def _of_a_wide_table(sheet: Sheet, again: NDArray[np.bool_], codes: Index) -> Iterator[Flaw]:
    order = np.lexsort((np.arange(len(again)), sheet.days))
    same = np.zeros(len(again))
    same[order[1:]] = (codes[order[1:]] == codes[order[:-1]]).mean(axis=1)
    equal = again & (same == 1.0)
    joined = again & ~equal & (same >= MOSTLY)
    other = again & ~equal & ~joined
    done = "one row a day, column by column" if sheet.facts.role == "dataset" else ""
    yield from sheet.flaw("duplicate_row", equal, f"{equal.sum()} rows stand there before", done=done)
    detail = f"{joined.sum()} rows of a day that has one already, equal in most columns: a join multiplied them"
    yield from sheet.flaw("multiplied_rows", joined, detail, done=done)
    detail = f"{other.sum()} rows of a day that has one already, with other values"
    yield from sheet.flaw("conflicting_duplicate", other, detail, done=done)


def _again(sheet: Sheet) -> NDArray[np.bool_]:
    """Rows whose day and key stand in a row above."""
    times = sheet.table[str(sheet.facts.date)].combine_chunks().dictionary_encode()
    moment = np.nan_to_num(times.indices.to_numpy(zero_copy_only=False).astype(np.float64), nan=-1).astype(np.int64)
    pair = sheet.key_codes * (len(times.dictionary) + 1) + moment
    _, first = np.unique(pair, return_index=True)
    again = np.ones(len(pair), dtype=bool)
    again[first] = False
    return again & (moment >= 0)


def _codes(sheet: Sheet) -> Index:
    """Return (rows, columns) numbers that are equal where the values are; columns about the row itself are left out."""
    found = []
    for name in sheet.table.column_names:
        if sheet.facts.about_values(name):
            column = sheet.table[name].combine_chunks()
            if pa.types.is_null(column.type):
                continue
            indices = column.dictionary_encode(null_encoding="encode").indices
            found.append(indices.to_numpy(zero_copy_only=False).astype(np.int64))
    return np.column_stack(found) if found else np.zeros((sheet.table.num_rows, 0), dtype=np.int64)


def _equal_before(sheet: Sheet, codes: Index) -> NDArray[np.bool_]:
    """Rows that are equal in everything to a row above."""
    days = sheet.days.astype(np.int64)
    _, first = np.unique(np.column_stack([codes, days]), axis=0, return_index=True)
    equal = np.ones(len(codes), dtype=bool)
    equal[first] = False
    return equal
