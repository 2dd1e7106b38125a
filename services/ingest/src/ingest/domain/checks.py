"""Checks of the rows of one series, each with its documented repair.

Every repair is row-local or causal: what it does to a row depends on rows at or before it alone, so cutting the data
at any day changes nothing before that day (DESIGN section 9.3). Each returns the rows that stay and what it found.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cbi_common.events.data import Severity
from cbi_common.markets.spec import SeriesSpec
from ingest.domain.audit.origin import straight
from ingest.domain.audit.values import FACTORS, FIT
from ingest.domain.flaws import Flaw
from ingest.domain.rows import Mask, Rows

PLACEHOLDER_ROWS = 20
"""Rows of one and the same value from which on a series says nothing."""

_HOLES = {"week": 15, "month": 26}
"""Sessions from one observation to the next that are no hole: two Tuesdays in a row are holidays at the turn of some
years, and a month has up to 23 sessions, of which the first may be one or two late."""

Checked = tuple[Rows, list[Flaw]]


def drop_unknown(rows: Rows) -> Checked:
    """Drop rows without a value."""
    unknown = np.isnan(rows.values)
    count = int(unknown.sum())
    detail = f"{rows.name}: {count} rows without a value"
    return rows.take(~unknown), [Flaw("null_value", "info", count, detail, done="dropped")] if count else []


def mask_out_of_range(rows: Rows, spec: SeriesSpec) -> Checked:
    """Drop values that the instrument cannot have: zeros that stand for missing, negative prices, other units."""
    low = -np.inf if spec.above is None else spec.above
    high = np.inf if spec.below is None else spec.below
    bad = (rows.values <= low) | (rows.values >= high) | np.isinf(rows.values)
    zero = bad & (rows.values == 0)
    negative = bad & (rows.values < 0) & (low >= 0)
    other_unit = bad & ~zero & ~negative & _in_another_unit(rows, bad)
    found = rows.flaws("zero_as_missing", zero, "dropped")
    found += rows.flaws("non_positive", negative, "dropped")
    found += rows.flaws(
        "unit_break", other_unit, f"a known factor away from the value before, outside {low:g} to {high:g}: dropped"
    )
    found += rows.flaws("out_of_range", bad & ~zero & ~negative & ~other_unit, f"outside {low:g} to {high:g}: dropped")
    return rows.take(~bad), found


def place_on_sessions(rows: Rows, *, own_sessions_only: bool) -> Checked:
    """Treat rows of days without a session.

    An exchange's own price there is an error and dropped (``own_sessions_only``); another market's value is real, and
    known at the close of the next session.
    """
    weekend = (rows.days.astype(np.int64) + 3) % 7 >= 5
    done = "dropped" if own_sessions_only else "counted from the next session on"
    severity: Severity = "repaired" if own_sessions_only else "info"
    found = rows.flaws("weekend_row", weekend & ~rows.on_session, done, severity)
    found += rows.flaws("non_session_row", ~weekend & ~rows.on_session, done, severity)
    return (rows.take(rows.on_session) if own_sessions_only else rows), found


def one_per_session(rows: Rows) -> Checked:
    """Choose one row per session, whatever the order of the rows.

    The latest day of the session wins, then the preferred source, then the lower median of what is left: a value that
    really was observed, and the same one however the rows are shuffled or repeated.
    """
    ordered = rows.take(np.lexsort((rows.values, rows.ranks, -rows.days.astype(np.int64), rows.sessions)))
    if not len(ordered):
        return ordered, []
    same_day = _repeats(ordered.sessions) & _repeats(ordered.days.astype(np.int64))
    same_source = same_day & _repeats(ordered.ranks)
    equal = same_source & (np.diff(ordered.values, prepend=np.nan) == 0)
    found = ordered.flaws("duplicate_row", equal, "one kept")
    found += ordered.flaws("conflicting_duplicate", same_source & ~equal, "lower median of the distinct values kept")
    found += ordered.flaws("several_sources", same_day & ~same_source, "preferred source kept", "info")
    distinct = ordered.take(~equal)
    group = ~(_repeats(distinct.sessions) & _repeats(distinct.days.astype(np.int64)) & _repeats(distinct.ranks))
    starts = np.flatnonzero(group)
    sizes = np.diff(np.append(starts, len(distinct)))
    best = ~_repeats(distinct.sessions[starts])
    return distinct.take((starts + (sizes - 1) // 2)[best]), found


def mask_frozen(rows: Rows, limit: int) -> Checked:
    """Drop a value from its ``limit``-th repetition in a row on: a feed that stands still says nothing new.

    ``rows`` hold one row per session in ascending order, here and in the checks below.
    """
    if not len(rows):
        return rows, []
    starts = np.flatnonzero(~_repeats(rows.values))
    length = np.arange(len(rows)) - np.repeat(starts, np.diff(np.append(starts, len(rows))))
    frozen = length >= limit
    tail = frozen & (np.arange(len(rows)) >= starts[-1])
    done = f"equal more than {limit} times in a row: the rest dropped"
    found = rows.flaws("frozen_tail", tail, done) + rows.flaws("frozen_run", frozen & ~tail, done)
    return rows.take(~frozen), found


def mask_unconfirmed(rows: Rows, max_move: float | None) -> Checked:
    """Drop a value more than ``max_move`` (log) away from the last accepted one, unless the one before confirms it.

    A misprint that is gone the next day never enters; a real jump enters one observation late.
    """
    if max_move is None or not len(rows):
        return rows, []
    logs = np.log(rows.values)
    kept = np.ones(len(rows), dtype=bool)
    accepted = logs[0]
    for i in range(1, len(rows)):
        near = abs(logs[i] - accepted) <= max_move
        confirmed = not kept[i - 1] and abs(logs[i] - logs[i - 1]) <= max_move
        kept[i] = near or confirmed
        accepted = logs[i] if kept[i] else accepted
    return rows.take(kept), rows.flaws(
        "unconfirmed_jump", ~kept, f"moved more than {max_move:.0%} and not confirmed: dropped"
    )


def mask_drawn(rows: Rows) -> Checked:
    """Drop values on a sloping straight line through those before them: no market moves like that."""
    drawn = straight(rows.values)
    return rows.take(~drawn), rows.flaws("modelled", drawn, "on straight lines: interpolated, dropped")


def find_thin(rows: Rows, spec: SeriesSpec) -> list[Flaw]:
    """Flag a volume so small that its contract had been left by the market: its close is a guess."""
    if spec.thin_below is None:
        return []
    return rows.flaws("thin_volume", rows.values < spec.thin_below, f"fewer than {spec.thin_below:g}: flagged", "info")


def find_reference_dates(rows: Rows, spec: SeriesSpec) -> list[Flaw]:
    """Say that the days of a series are not those on which it was known."""
    if not spec.release_lag_sessions or not len(rows):
        return []
    everything = np.ones(len(rows), dtype=bool)
    done = f"dated before their release, count {spec.release_lag_sessions} sessions later"
    return rows.flaws("reference_date", everything, done, "info")


def find_holes(rows: Rows, spec: SeriesSpec) -> list[Flaw]:
    """Report sessions without an observation between the first and the last one, or weeks for a weekly series."""
    if len(rows) < 2:
        return []
    if spec.frequency in _HOLES:
        usual = _HOLES[spec.frequency]
        wide = np.diff(rows.sessions, prepend=rows.sessions[0]) > usual
        return rows.flaws("calendar_hole", wide, f"first after more than {usual} sessions: unknown there", "info")
    missing = int(rows.sessions[-1] - rows.sessions[0] + 1 - len(rows))
    if not missing:
        return []
    wide = np.diff(rows.sessions, prepend=rows.sessions[0] - 1) > 1
    longest = int(np.diff(rows.sessions).max()) - 1
    last = ", ".join(str(day) for day in rows.days[wide][-3:])
    detail = f"{rows.name}: {missing} sessions without a row, longest hole {longest}, last ones before {last}"
    return [Flaw("calendar_hole", "info", missing, detail, done="unknown there")]


def find_placeholder(rows: Rows) -> list[Flaw]:
    """Reject a series that has one value throughout."""
    if len(rows) < PLACEHOLDER_ROWS or (rows.values != rows.values[0]).any():
        return []
    detail = f"{rows.name}: {rows.values[0]:g} in all {len(rows)} rows"
    return [Flaw("constant", "rejected", len(rows), detail, done="column dropped")]


def find_stale(rows: Rows, spec: SeriesSpec, as_of_session: int) -> list[Flaw]:
    """Report a series whose last observation is too old at as_of: its features are unknown there."""
    if not len(rows):
        return []
    age = as_of_session - int(rows.sessions[-1]) - spec.release_lag_sessions
    if age <= spec.staleness_sessions:
        return []
    detail = f"{rows.name}: last observation {rows.days[-1]}, {age} sessions before as_of"
    return [Flaw("stale", "repaired", age, detail, done="unknown since")]


def _in_another_unit(rows: Rows, bad: Mask) -> Mask:
    """Values out of range that a factor between units takes to where the last good value in range was."""
    order = np.argsort(rows.days, kind="stable")
    good = np.where(bad[order], -1, np.arange(len(rows)))
    last = np.maximum.accumulate(good) if len(good) else good
    before = np.where(last >= 0, rows.values[order][np.maximum(last, 0)], np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        leap = np.abs(np.log(rows.values[order] / before))
    near = np.any([np.abs(leap - np.log(factor)) < FIT for factor in FACTORS], axis=0)
    found = np.zeros(len(rows), dtype=bool)
    found[order] = near
    return found & bad


def _repeats(keys: NDArray[np.float64] | NDArray[np.int64]) -> Mask:
    """Return whether each key equals the one before it."""
    same = np.zeros(len(keys), dtype=bool)
    same[1:] = keys[1:] == keys[:-1]
    return same
