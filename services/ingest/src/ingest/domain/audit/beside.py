"""A table beside the market's series: copies that disagree, other instruments, early knowledge, targets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cbi_common.core.horizon import Horizon
from cbi_common.events.data import Severity
from cbi_common.markets.datasets import rule_of
from cbi_common.timeseries.calendar import session_numbers
from ingest.domain.audit.facts import bars_of
from ingest.domain.audit.sheet import LEAST_ROWS, Floats, Index, Mask, Sheet
from ingest.domain.flaws import Flaw
from ingest.domain.rows import Rows
from ingest.domain.targets import PriceAhead, foretelling
from ingest.domain.twins import WINDOW, moving_alike

COPY_SHARE = 0.6
"""Share of the days on which a column has the value of a series, from which it is a copy of it."""

EQUAL = 1e-3
LEAST_VALUES = 10
DISAGREES = 5e-3
EARLY_ROWS = 5
_GLANCE = 40
UNIT_RATIO = 3.0
"""A target this many times its price, or this small a part of it, is in another unit."""

MOVES_ALIKE = 0.97
"""Correlation above which an instrument that no series is moves as one: a bond's price against its yield has 0.985."""

LONGEST_STEP = 4
"""Sessions over which a move still is one of days."""

LATE = 4
"""Sessions of delay from which a column speaks of another day than its own."""

STALE = 30
"""Sessions behind the price from which a table that is loaded still is stale."""

REJECTED_SHARE = 0.1
"""Share of another instrument's rows from which a table is not worth reading."""


@dataclass(frozen=True)
class Known:
    """What the market knows, as the gate let it through.

    Attributes
    ----------
    price : Rows
    series : name to Rows, the price among them
    lags : name to the sessions from an observation to its release
    """

    price: Rows
    series: Mapping[str, Rows]
    lags: Mapping[str, int]

    def at(self, name: str, sessions: Index) -> Floats:
        """Return the value of a series on each session, NaN where it has none."""
        rows = self.series[name]
        if not len(rows):
            return np.full(len(sessions), np.nan)
        place = np.minimum(np.searchsorted(rows.sessions, sessions), len(rows) - 1)
        return np.where(rows.sessions[place] == sessions, rows.values[place], np.nan)


def beside(sheet: Sheet, known: Known) -> Iterator[Flaw]:
    """Yield what only shows beside the market's own series."""
    if sheet.facts.role == "series" or not len(sheet.groups):
        return
    yield from _stale(sheet, known)
    if sheet.facts.dataset is not None:
        yield from _of_a_dataset(sheet, known)
    elif bars_of(sheet.table.column_names) or sheet.facts.declared.instrument:
        yield from _of_prices(sheet, known)


def _stale(sheet: Sheet, known: Known) -> Iterator[Flaw]:
    """A table that was loaded after its last observation had grown old."""
    known_days = sheet.days[~np.isnat(sheet.days)]
    if sheet.facts.loaded is None or len(known_days) < LEAST_ROWS:
        return
    newest = np.flatnonzero(sheet.days == known_days.max())
    (session,), _ = session_numbers(known_days.max()[None])
    age = int(known.price.sessions[-1] - session)
    if age > STALE:
        detail = f"last observation {known_days.max()}, {age} sessions before the last price, and loaded since"
        yield from sheet.flaw("stale", newest, detail, columns=[str(sheet.facts.date)], count=age)


def _of_a_dataset(sheet: Sheet, known: Known) -> Iterator[Flaw]:
    rows = sheet.groups[0]
    sessions, on_session = session_numbers(sheet.days[rows])
    rows, sessions = rows[on_session], sessions[on_session]
    targets = {name for name in sheet.numbers if name.startswith("target_")}
    for name in sorted(targets):
        yield from _target(sheet, known, name, rows, sessions)
    columns = {name: values[rows] for name, values in sheet.numbers.items() if name not in targets}
    hidden = foretelling(columns, sessions, PriceAhead(known.price.sessions, known.price.values))
    for name, reason in hidden.items():
        detail = f"{name}: {reason.removeprefix('other_target: ')}"
        yield from sheet.flaw("other_target", rows, detail, columns=[name], done="column dropped", count=1)
    released = _Released.all_of(known)
    references = np.column_stack([known.at(series, sessions) for series in known.series])
    for name in columns:
        yield from _ruled_out(sheet, name)
        yield from _early(sheet, released, name, rows, sessions)
        yield from _copied(sheet, known, name, rows, references)


def _target(sheet: Sheet, known: Known, name: str, rows: Index, sessions: Index) -> Iterator[Flaw]:
    values = sheet.numbers[name][rows]
    done = "recomputed from the canonical price"
    if name not in sheet.facts.own_targets:
        yield from sheet.flaw(
            "other_target",
            rows,
            f"{name}: the target of another horizon",
            columns=[name],
            done="column dropped",
            count=1,
        )
    try:
        horizon = Horizon(name.removeprefix("target_"))
    except ValueError:
        return
    early = ~np.isnan(values) & (sessions + horizon.sessions > known.price.sessions[-1])
    detail = f"{name}: {early.sum()} rows are filled before their outcome can be known"
    yield from sheet.flaw("target_before_outcome", rows[early], detail, columns=[name], done=done)
    ratio = values / known.at(known.price.name, sessions)
    ratio = ratio[np.isfinite(ratio)]
    if len(ratio) >= LEAST_ROWS and not 1 / UNIT_RATIO < abs(float(np.median(ratio))) < UNIT_RATIO:
        told = sheet.facts.dataset is not None and sheet.facts.dataset.targets.get(horizon) == "return"
        expected = (
            told and abs(float(np.median(ratio))) < 1 / UNIT_RATIO and np.abs(values[~np.isnan(values)]).max() < 5
        )
        detail = f"{name}: {np.median(ratio):.3g} times the price: in another unit than a price"
        filled = rows[~np.isnan(values)]
        yield from sheet.flaw(
            "target_units", filled, detail, columns=[name], done=done, severity="info" if expected else None
        )


def _ruled_out(sheet: Sheet, name: str) -> Iterator[Flaw]:
    """Columns that the market file takes out or delays, under the check that its reason names."""
    rule = rule_of(sheet.facts.rules, name)
    check, _, why = (rule.drop or "").partition(": ")
    rows, check = np.arange(sheet.table.num_rows), _RULED.get(check, "")
    if check and not name.startswith("target_"):
        done = "left out by the market file"
        yield from sheet.flaw(check, rows, f"{name}: {why}", columns=[name], done=done, severity="info", count=1)
    elif (rule.lag_sessions or 0) >= LATE:
        done = f"counts {rule.lag_sessions} sessions later"
        detail = f"{name}: dated with the period it describes"
        yield from sheet.flaw("reference_date", rows, detail, columns=[name], done=done, severity="info", count=1)


_RULED = {
    "other_target": "other_target",
    "mislabelled": "mislabelled",
    "looks ahead": "reference_date",
    "load_time_as_date": "load_time_as_date",
}
"""Reason of a rule to the check that says the same."""


def _early(sheet: Sheet, released: list[_Released], name: str, rows: Index, sessions: Index) -> Iterator[Flaw]:
    """Values of a series that is released late, on days when it was not out yet."""
    values = sheet.numbers[name][rows]
    for late in released:
        place = np.minimum(np.searchsorted(late.values, values), len(late.values) - 1)
        is_copy = late.values[place] == values
        if is_copy.sum() < max(LEAST_ROWS, COPY_SHARE * np.count_nonzero(~np.isnan(values))):
            continue
        said = late.sessions[place]
        early = is_copy & (sessions < said + late.lag) & (sessions >= said - late.lag)
        if early.sum() >= EARLY_ROWS:
            done = f"counts {rule_of(sheet.facts.rules, name).lag_sessions or 0} sessions later"
            detail = f"{name}: {early.sum()} rows show {late.name} before its release {late.lag} sessions after its day"
            yield from sheet.flaw("reference_date", rows[early], detail, columns=[name], done=done)
        return


@dataclass(frozen=True)
class _Released:
    """A series that is released late: its distinct values, ascending, and the session each was first observed on."""

    name: str
    lag: int
    values: Floats
    sessions: Index

    @classmethod
    def all_of(cls, known: Known) -> list[_Released]:
        found = []
        for name, lag in known.lags.items():
            rows = known.series[name]
            if lag and len(rows) >= LEAST_ROWS:
                values, first = np.unique(rows.values, return_index=True)
                found.append(cls(name, lag, values, rows.sessions[first]))
        return found


def _copied(sheet: Sheet, known: Known, name: str, rows: Index, references: Floats) -> Iterator[Flaw]:
    """A copy of a series whose values are not those of the series, or in another unit than the market file says."""
    values = sheet.numbers[name][rows]
    if np.count_nonzero(~np.isnan(values)) < LEAST_ROWS:
        return
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = values[:, None] / references
    for place, factor in _factors(ratios):
        series, ratio = list(known.series)[place], ratios[:, place]
        both = np.isfinite(ratio)
        if len(np.unique(values[both & (np.abs(ratio / factor - 1) <= EQUAL)])) < LEAST_VALUES:
            continue  # two columns that both stand still are no copies
        if abs(factor / (rule_of(sheet.facts.rules, name).factor or 1.0) - 1) > EQUAL:
            detail = f"{name}: {series} times {factor:.6g}, in another unit"
            yield from sheet.flaw("unit_break", rows[both], detail, columns=[name])
            return
        wrong = both & (np.abs(ratio / factor - 1) > DISAGREES)
        detail = f"{name}: {wrong.sum()} rows disagree with {series}, of which it is a copy"
        yield from sheet.flaw("source_mismatch", rows[wrong], detail, columns=[name], done=f"{series} is used")
        return


def _factors(ratios: Floats) -> Iterator[tuple[int, float]]:
    """Yield the series that a column is a copy of, and the factor between their units: the ratio most rows share."""
    few = ratios[np.unique(np.linspace(0, len(ratios) - 1, _GLANCE).astype(np.int64))]
    few = np.where(np.isfinite(few) & (few > 0), few, np.nan)
    known = np.isfinite(few).sum(axis=0)
    # Sorted, NaN last: the middle one of the known is the median, of all series at once.
    middle = np.take_along_axis(np.sort(few, axis=0), np.maximum(known - 1, 0)[None] // 2, axis=0)[0]
    near = (np.abs(few / middle - 1) <= 2 * EQUAL).sum(axis=0)
    for place in np.flatnonzero((known >= _GLANCE // 4) & (2 * near >= COPY_SHARE * known)):
        ratio = ratios[np.isfinite(ratios[:, place]), place]
        factor = float(np.median(ratio))
        if abs(factor - 1) <= EQUAL:
            factor = 1.0
        if factor > 0 and len(ratio) >= LEAST_ROWS and np.mean(np.abs(ratio / factor - 1) <= EQUAL) >= COPY_SHARE:
            yield int(place), factor


def _of_prices(sheet: Sheet, known: Known) -> Iterator[Flaw]:
    """Prices of one instrument: equal to the series they claim to be, or moving like one that they do not."""
    bars = bars_of(sheet.table.column_names)
    close = bars[0]["close"] if bars else next(iter(sheet.numbers), None)
    if close is None or close in sheet.facts.read:
        return
    column, claim = sheet.column(close), sheet.facts.declared.instrument
    if claim in known.series:
        for group in sheet.groups:
            own, sessions = _quoted(sheet, column, group)
            yield from _disagreeing(sheet, known, str(claim), close, own, sessions)
        return
    series, wrong = _another(sheet, known, column)
    if series is not None:
        share = len(wrong) / len(column)
        detail = f"{close}: {len(wrong)} rows move as {series} does: another instrument than it is called"
        severity: Severity = "rejected" if share >= REJECTED_SHARE else "info"
        done = "table rejected" if share >= REJECTED_SHARE else ""
        yield from sheet.flaw("mislabelled", wrong, detail, columns=[close], done=done, severity=severity)


def _another(sheet: Sheet, known: Known, column: Floats) -> tuple[str | None, Index]:
    """Return the series that most rows move as, and the rows; of a day's rows the first and the last are looked at."""
    best: tuple[str | None, Index] = (None, np.empty(0, dtype=np.int64))
    for series in (name for name in known.series if name not in sheet.facts.declared.related):
        found = []
        for group in (*sheet.groups, *sheet.last_of_day):
            own, sessions = _quoted(sheet, column, group)
            found.append(own[_alike(known, series, sessions, column[own])])
        rows = np.unique(np.concatenate(found))
        if len(rows) > len(best[1]):
            best = series, rows
    return best


def _quoted(sheet: Sheet, column: Floats, group: Index) -> tuple[Index, Index]:
    own = group[column[group] > 0]
    sessions, on_session = session_numbers(sheet.days[own])
    return own[on_session], sessions[on_session]


def _disagreeing(sheet: Sheet, known: Known, claim: str, close: str, own: Index, sessions: Index) -> Iterator[Flaw]:
    ratio = sheet.column(close)[own] / known.at(claim, sessions)
    both = np.isfinite(ratio)
    if both.sum() < LEAST_ROWS:
        return
    wrong = both & (np.abs(ratio - 1) > DISAGREES)
    detail = f"{close}: {wrong.sum()} of {both.sum()} rows disagree with {claim}"
    yield from sheet.flaw("source_mismatch", own[wrong], detail, columns=[close], done=f"{claim} is used")


def _alike(known: Known, series: str, sessions: Index, values: Floats) -> Mask:
    """Return the rows of the windows in which the values move as a series does (yields against prices included)."""
    other = known.at(series, sessions)
    if np.count_nonzero(other > 0) < LEAST_ROWS:
        return np.zeros(len(values), dtype=bool)
    moves = np.column_stack([_moves(sessions, values), _moves(sessions, other)])
    ends: NDArray[np.bool_] = moving_alike(moves, MOVES_ALIKE)[:, 0, 1]
    spread = np.zeros(len(values), dtype=bool)
    for end in np.flatnonzero(ends):
        spread[max(0, end - WINDOW + 1) : end + 1] = True
    return spread


def _moves(sessions: Index, values: Floats) -> Floats:
    """Log moves from one session to the next; over a hole a move says nothing of a day."""
    with np.errstate(invalid="ignore", divide="ignore"):
        moves = np.diff(np.where(values > 0, np.log(values), np.nan), prepend=np.nan)
    return np.where(np.diff(sessions, prepend=-(2**40)) <= LONGEST_STEP, moves, np.nan)
