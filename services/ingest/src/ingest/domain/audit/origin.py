"""Values that somebody computed and that pose as observations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ingest.domain.audit.sheet import Floats, Mask, Sheet
from ingest.domain.audit.text import matching
from ingest.domain.flaws import Flaw

WORDS = r"(?i)baseline|pattern|estimat|synthetic|fallback|calculated|interpolat|extrapolat|imput|assum|dummy|mock"
"""What programs write into a column of sources when the row has none."""

STRAIGHT = 5
"""Values on one sloping line, in a row, from which no market made them."""

STRAIGHT_SHARE = 0.1
MOSTLY = 0.5


def origin(sheet: Sheet) -> Iterator[Flaw]:
    """Yield modelled rows, straight lines, and tables that the market file calls modelled."""
    if sheet.facts.declared.modelled is not None:
        everything = np.arange(sheet.table.num_rows)
        yield from sheet.flaw(
            "modelled", everything, sheet.facts.declared.modelled, done="table rejected", severity="rejected"
        )
        return
    if sheet.facts.declared.reference_date is not None:
        everything = np.arange(sheet.table.num_rows)
        yield from sheet.flaw(
            "reference_date", everything, sheet.facts.declared.reference_date, columns=[str(sheet.facts.date)]
        )
    if sheet.facts.role != "series":
        yield from _told(sheet)
    for name, column in sheet.numbers.items():
        yield from _drawn(sheet, name, column)


def made_up(sources: pa.ChunkedArray[Any]) -> Mask:
    """Return which rows a column of sources says were computed."""
    return matching(sources, WORDS)


def straight(series: Floats) -> NDArray[np.bool_]:
    """Return which values end at least `STRAIGHT` values on one sloping line; decided from what came before.

    >>> straight(np.array([1.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 3.0])).tolist()
    [False, False, False, False, False, True, True, False]
    """
    steps = np.diff(series, prepend=np.nan)
    tolerance = 1e-9 * np.maximum(np.abs(series), 1e-300)
    with np.errstate(invalid="ignore"):
        on_line = (np.abs(np.diff(steps, prepend=np.nan)) <= tolerance) & (np.abs(steps) > 1e-6 * np.abs(series))
    place = np.arange(len(series))
    last = np.maximum.accumulate(np.where(on_line, -1, place)) if len(series) else place
    # The first value on a line has two before it.
    found: NDArray[np.bool_] = on_line & (place - last + 2 >= STRAIGHT)
    return found


def _told(sheet: Sheet) -> Iterator[Flaw]:
    for name in sheet.facts.origins:
        wrong = made_up(sheet.table[name])
        if not wrong.any():
            continue
        words = sorted({str(word) for word in sheet.table[name].filter(pa.array(wrong)).unique().to_pylist()})
        most = wrong.mean() >= MOSTLY
        yield from sheet.flaw(
            "modelled",
            wrong,
            f"{name}: {wrong.sum()} rows come from {', '.join(words[:4])}",
            columns=[name],
            done="table rejected" if most else "",
            severity="rejected" if most else None,
        )


def _drawn(sheet: Sheet, name: str, column: Floats) -> Iterator[Flaw]:
    drawn = np.zeros(len(column), dtype=bool)
    known = 0
    for rows in sheet.groups:
        own = rows[~np.isnan(column[rows])]
        series = column[own]
        if len(own) < 3 * STRAIGHT or np.equal(np.mod(series, 1), 0).all():
            continue
        known += len(own)
        drawn[own[straight(series)]] = True
    if drawn.sum() >= STRAIGHT_SHARE * max(known, 1) and drawn.any():
        detail = f"{name}: {drawn.sum()} values lie on straight lines between others: interpolated"
        yield from sheet.flaw("modelled", drawn, detail, columns=[name])
