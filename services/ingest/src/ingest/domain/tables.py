"""One table through the gate: its schema, its rows, the series that come out of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cbi_common.events.data import TableQuality
from cbi_common.markets.spec import SeriesSpec
from ingest.domain import checks
from ingest.domain.flaws import Flaw, verdict
from ingest.domain.rows import Rows, read_days, read_rows


@dataclass(frozen=True)
class Source:
    """What the warehouse gave of a table.

    Attributes
    ----------
    table : pa.Table or None
        The columns that the market reads, as far as the table has them; None when it could not be read.
    columns : tuple[str, ...]
        All columns of the table.
    trouble : Flaw or None
        Why it could not be read.
    """

    table: pa.Table | None
    columns: tuple[str, ...] = ()
    trouble: Flaw | None = None


@dataclass(frozen=True)
class TableReport:
    """A table after the gate.

    Attributes
    ----------
    quality : TableQuality
    flaws : tuple[Flaw, ...]
    series : name to its rows, one per session in ascending order
    lost : name of a series that did not come through to the reason
    """

    quality: TableQuality
    flaws: tuple[Flaw, ...]
    series: dict[str, Rows]
    lost: dict[str, Flaw]


def inspect_table(source: Source, specs: Sequence[SeriesSpec], as_of: date, own_sessions: Iterable[str]) -> TableReport:
    """Check the rows of a table up to ``as_of`` and return its series.

    Parameters
    ----------
    source : Source
    specs : sequence of SeriesSpec
        The series that are read from the table, at least one.
    as_of : date
    own_sessions : names of the series that exist on the exchange's sessions only
    """
    trouble = source.trouble or _date_trouble(source, specs[0])
    if source.table is None or trouble is not None:
        flaw = trouble or Flaw("unreadable", "rejected", 0, "the table could not be read")
        rows = 0 if source.table is None else source.table.num_rows
        return TableReport(verdict(rows, [flaw], usable=False), (flaw,), {}, {spec.name: flaw for spec in specs})
    days = read_days(source.table, specs[0].date)
    flaws = _date_flaws(days, specs[0].date)
    series: dict[str, Rows] = {}
    lost: dict[str, Flaw] = {}
    for spec in specs:
        kept, found = _inspect_series(source, spec, days, as_of, own_sessions_only=spec.name in own_sessions)
        flaws += found
        fatal = [flaw for flaw in found if flaw.severity == "rejected"]
        if fatal:
            lost[spec.name] = fatal[0]
        else:
            series[spec.name] = kept
    quality = verdict(source.table.num_rows, flaws, usable=bool(series))
    return TableReport(quality, tuple(flaws), series, lost)


def _inspect_series(
    source: Source, spec: SeriesSpec, days: NDArray[np.datetime64], as_of: date, *, own_sessions_only: bool
) -> tuple[Rows, list[Flaw]]:
    assert source.table is not None
    trouble = _column_trouble(source, spec)
    if trouble is not None:
        return _none(spec), [trouble]
    rows = read_rows(source.table, spec, days, as_of)
    rows, unknown = checks.drop_unknown(rows)
    if not len(rows):
        detail = f"{spec.name}: no row of column {spec.value!r} has a value by {as_of}: column dropped"
        return rows, [Flaw("all_null", "rejected", source.table.num_rows, detail)]
    rows, ranged = checks.mask_out_of_range(rows, spec)
    rows, placed = checks.place_on_sessions(rows, own_sessions_only=own_sessions_only)
    rows, single = checks.one_per_session(rows)
    constant = checks.find_placeholder(rows)
    rows, frozen = checks.mask_frozen(rows, spec.frozen_after)
    rows, jumps = checks.mask_unconfirmed(rows, spec.max_move)
    flaws = [*unknown, *ranged, *placed, *single, *constant, *frozen, *jumps, *checks.find_holes(rows, spec)]
    if not len(rows):
        detail = f"{spec.name}: no usable value in column {spec.value!r} by {as_of}: column dropped"
        flaws.append(Flaw("no_usable_value", "rejected", source.table.num_rows, detail))
    return rows, flaws


def _date_trouble(source: Source, spec: SeriesSpec) -> Flaw | None:
    if source.table is None:
        return None
    if source.table.num_rows == 0:
        return Flaw("empty_table", "rejected", 0, "the table has no rows")
    if spec.date not in source.columns:
        return _missing(source, spec.date)
    kind = source.table.schema.field(spec.date).type
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return None
    return Flaw("wrong_type", "rejected", source.table.num_rows, f"column {spec.date!r} holds {kind}, not dates")


def _column_trouble(source: Source, spec: SeriesSpec) -> Flaw | None:
    assert source.table is not None
    for column in (spec.value, *spec.where):
        if column not in source.columns:
            return _missing(source, column)
    kind = source.table.schema.field(spec.value).type
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    if numeric or pa.types.is_null(kind):
        return None
    first = [str(value)[:40] for value in source.table[spec.value].slice(0, 3).to_pylist()]
    detail = f"{spec.name}: column {spec.value!r} holds {kind}, not numbers (first: {first}): column dropped"
    return Flaw("wrong_type", "rejected", source.table.num_rows, detail)


def _missing(source: Source, column: str) -> Flaw:
    names = ", ".join(source.columns[:20]) + (" …" if len(source.columns) > 20 else "")
    return Flaw("missing_column", "rejected", 1, f"no column {column!r}; it has {names}")


def _date_flaws(days: NDArray[np.datetime64], column: str) -> list[Flaw]:
    bad, found = int(np.isnat(days).sum()), []
    if bad:
        found.append(
            Flaw("bad_date", "repaired", bad, f"{bad} rows whose {column!r} is no date of the calendar: dropped")
        )
    back = int((np.diff(days[~np.isnat(days)]) < np.timedelta64(0)).sum())
    if back:
        found.append(Flaw("unsorted", "info", back, f"{back} rows stand before the row above them: sorted"))
    return found


def _none(spec: SeriesSpec) -> Rows:
    whole = np.empty(0, dtype=np.int64)
    return Rows(spec.name, whole.astype("datetime64[D]"), whole, whole.astype(bool), whole, whole.astype(np.float64))
