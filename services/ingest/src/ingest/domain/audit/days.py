"""Days of a table: bad ones, the wrong ones, missing ones, and days that are really the time of loading."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cbi_common.timeseries.calendar import session_numbers
from ingest.domain.audit.facts import bars_of
from ingest.domain.audit.sheet import LEAST_ROWS, Index, Sheet
from ingest.domain.flaws import Flaw

SAME_BATCH = 3
"""Rows of one thing that carry the day of their loading as their own, from which it is no accident."""

JUST_LOADED_S = 120
"""Seconds between an article's own time and its loading, below which the time is that of loading."""

DAILY = 0.8
"""Share of the sessions between its first and last day that a daily series has."""


def days(sheet: Sheet) -> Iterator[Flaw]:
    """Yield what is wrong with the days of the rows."""
    if sheet.facts.date is None:
        return
    kind = sheet.table.schema.field(sheet.facts.date).type
    if not (pa.types.is_date(kind) or pa.types.is_timestamp(kind)):
        detail = f"{sheet.facts.date}: holds {kind}, not dates"
        yield from sheet.flaw(
            "wrong_type", np.arange(sheet.table.num_rows), detail, columns=[sheet.facts.date], severity="info"
        )
        return
    if sheet.facts.role != "series":
        yield from _bad(sheet)
        yield from _off_sessions(sheet)
    yield from _loaded(sheet)


def _bad(sheet: Sheet) -> Iterator[Flaw]:
    date = str(sheet.facts.date)
    bad = np.isnat(sheet.days)
    yield from sheet.flaw("bad_date", bad, f"{date}: {bad.sum()} rows without a day of the calendar", columns=[date])


def _off_sessions(sheet: Sheet) -> Iterator[Flaw]:
    """Rows on days without a session, and sessions without a row, of what is quoted daily."""
    date, known = str(sheet.facts.date), ~np.isnat(sheet.days)
    if not known.any() or not _is_daily(sheet):
        return
    weekend = known & ((sheet.days.astype(np.int64) + 3) % 7 >= 5)
    _, on_session = session_numbers(sheet.days[known])
    closed = np.zeros(len(known), dtype=bool)
    closed[known] = ~on_session
    closed &= ~weekend
    done = "rows left out" if sheet.facts.role == "dataset" else ""
    yield from sheet.flaw(
        "weekend_row", weekend, f"{weekend.sum()} rows on Saturdays and Sundays", columns=[date], done=done
    )
    yield from sheet.flaw(
        "non_session_row", closed, f"{closed.sum()} rows on weekdays without a session", columns=[date], done=done
    )
    yield from _holes(sheet)


def _holes(sheet: Sheet) -> Iterator[Flaw]:
    missing, longest, before = 0, 0, []
    for rows in sheet.groups:
        numbers, on_session = session_numbers(sheet.days[rows])
        numbers, own = numbers[on_session], rows[on_session]
        if len(own) < LEAST_ROWS:
            continue
        gaps = np.diff(numbers, prepend=numbers[0] - 1) - 1
        missing, longest = missing + int(gaps.sum()), max(longest, int(gaps.max()))
        before.append(own[gaps > 0])
    rows = np.concatenate(before) if before else np.empty(0, dtype=np.int64)
    detail = f"{missing} sessions without a row, longest hole {longest}"
    yield from sheet.flaw(
        "calendar_hole",
        rows,
        detail,
        columns=[str(sheet.facts.date)],
        severity="info",
        done="unknown there",
        count=missing,
    )


def _is_daily(sheet: Sheet) -> bool:
    if sheet.facts.role == "dataset":
        return True
    if not bars_of(sheet.table.column_names):
        return False
    longest: Index = max(sheet.groups, key=len, default=np.empty(0, dtype=np.int64))
    if len(longest) < LEAST_ROWS:
        return False
    numbers, _ = session_numbers(sheet.days[longest])
    return bool(len(longest) >= DAILY * (numbers[-1] - numbers[0] + 1))


def _loaded(sheet: Sheet) -> Iterator[Flaw]:
    facts = sheet.facts
    if (
        facts.loaded is None
        or facts.date is None
        or not pa.types.is_timestamp(sheet.table.schema.field(facts.loaded).type)
    ):
        return
    loaded = pc.cast(sheet.table[facts.loaded], pa.timestamp("us")).to_numpy(zero_copy_only=False)
    # A load time of midnight sharp was itself made from the day of the observation.
    of_day = loaded.astype("datetime64[D]")
    own_day = (of_day == sheet.days) & (loaded != of_day)
    if _is_about_articles(sheet):
        own_time = _times(sheet)
        just = np.abs((own_time - loaded).astype("timedelta64[s]").astype(np.float64)) <= JUST_LOADED_S
        wrong = just if just.mean() >= 0.5 else np.zeros(len(just), dtype=bool)
    else:
        wrong = _crowded(sheet, own_day)
    detail = f"{facts.date}: {wrong.sum()} rows are dated with the time of their loading ({facts.loaded})"
    yield from sheet.flaw("load_time_as_date", wrong, detail, columns=[facts.date])


def _crowded(
    sheet: Sheet, own_day: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Rows of one thing that share one day, that of their loading, with several others."""
    days = sheet.days.astype(np.int64)
    pair = sheet.key_codes * 100_003 + days
    _, where, counts = np.unique(pair, return_inverse=True, return_counts=True)
    return np.asarray(own_day & (counts[where] >= SAME_BATCH))


def _is_about_articles(sheet: Sheet) -> bool:
    return bool({"title", "headline", "text", "url"} & set(sheet.facts.key))


def _times(sheet: Sheet) -> np.ndarray[tuple[int, ...], np.dtype[np.datetime64]]:
    column = sheet.table[str(sheet.facts.date)]
    return np.asarray(pc.cast(column, pa.timestamp("us"), safe=False).to_numpy(zero_copy_only=False))
