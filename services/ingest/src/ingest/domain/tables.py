"""One table through the gate: its schema, its rows, the series that come out of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cbi_common.events.data import TableQuality
from cbi_common.markets.spec import SeriesSpec
from ingest.domain import checks
from ingest.domain.audit.facts import ORIGINS
from ingest.domain.audit.origin import made_up
from ingest.domain.flaws import Flaw, verdict
from ingest.domain.rows import Mask, Rows, read_days, read_rows
from ingest.domain.schema import check_columns, check_days


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
        flaw = replace(flaw, done="table rejected")
        rows = 0 if source.table is None else source.table.num_rows
        return TableReport(verdict(rows, [flaw], usable=False), (flaw,), {}, {spec.name: flaw for spec in specs})
    days = read_days(source.table, specs[0].date)
    observed, flaws = _observed(source.table, days, as_of)
    flaws += _date_flaws(days, specs[0].date)
    series: dict[str, Rows] = {}
    lost: dict[str, Flaw] = {}
    for spec in specs:
        kept, found = _inspect_series(
            source, spec, days, as_of, observed=observed, own_sessions_only=spec.name in own_sessions
        )
        flaws += [flaw if flaw.columns else replace(flaw, columns=(spec.value,)) for flaw in found]
        fatal = [flaw for flaw in found if flaw.severity == "rejected"]
        if fatal:
            lost[spec.name] = fatal[0]
        else:
            series[spec.name] = kept
    quality = verdict(source.table.num_rows, flaws, usable=bool(series))
    return TableReport(quality, tuple(flaws), series, lost)


def _inspect_series(
    source: Source,
    spec: SeriesSpec,
    days: NDArray[np.datetime64],
    as_of: date,
    *,
    observed: Mask,
    own_sessions_only: bool,
) -> tuple[Rows, list[Flaw]]:
    assert source.table is not None
    misfits = check_columns(spec, source.columns, source.table)
    if misfits:
        return _none(spec), misfits
    rows = read_rows(source.table, spec, days, as_of, observed)
    rows, unknown = checks.drop_unknown(rows)
    if not len(rows):
        detail = f"{spec.name}: no row of column {spec.value!r} has a value by {as_of}"
        return rows, [Flaw("all_null", "rejected", source.table.num_rows, detail, done="column dropped")]
    rows, ranged = checks.mask_out_of_range(rows, spec)
    rows, placed = checks.place_on_sessions(rows, own_sessions_only=own_sessions_only)
    rows, single = checks.one_per_session(rows)
    constant = checks.find_placeholder(rows)
    rows, frozen = checks.mask_frozen(rows, spec.frozen_after)
    rows, drawn = checks.mask_drawn(rows)
    rows, jumps = checks.mask_unconfirmed(rows, spec.max_move)
    flaws = [*unknown, *ranged, *placed, *single, *constant, *frozen, *drawn, *jumps]
    flaws += [*checks.find_holes(rows, spec), *checks.find_thin(rows, spec), *checks.find_reference_dates(rows, spec)]
    if not len(rows):
        detail = f"{spec.name}: no usable value in column {spec.value!r} by {as_of}"
        flaws.append(Flaw("no_usable_value", "rejected", source.table.num_rows, detail, done="column dropped"))
    return rows, flaws


def _date_trouble(source: Source, spec: SeriesSpec) -> Flaw | None:
    if source.table is None:
        return None
    if source.table.num_rows == 0:
        return Flaw("empty_table", "rejected", 0, "the table has no rows")
    return next(iter(check_days(spec.date, source.columns, source.table)), None)


def _date_flaws(days: NDArray[np.datetime64], column: str) -> list[Flaw]:
    bad, found = int(np.isnat(days).sum()), []
    if bad:
        found.append(
            Flaw(
                "bad_date",
                "repaired",
                bad,
                f"{bad} rows whose {column!r} is no date of the calendar",
                (),
                (column,),
                "dropped",
            )
        )
    back = int((np.diff(days[~np.isnat(days)]) < np.timedelta64(0)).sum())
    if back:
        detail = f"{back} rows stand before the row above them"
        found.append(Flaw("unsorted", "info", back, detail, (), (column,), "sorted"))
    return found


def _observed(table: pa.Table, days: NDArray[np.datetime64], as_of: date) -> tuple[Mask, list[Flaw]]:
    """Rows that somebody observed: a column of sources names the others."""
    observed, found = np.ones(len(days), dtype=bool), []
    for name in (name for name in ORIGINS if name in table.column_names):
        if not pa.types.is_string(table.schema.field(name).type):
            continue
        wrong = made_up(table[name]) & ~np.isnat(days) & (days <= np.datetime64(as_of))
        observed &= ~wrong
        if wrong.any():
            words = sorted({str(word) for word in table[name].filter(pa.array(wrong)).unique().to_pylist()})
            detail = f"{name}: {wrong.sum()} rows come from {', '.join(words[:4])}"
            found.append(Flaw("modelled", "repaired", int(wrong.sum()), detail, (), (name,), "rows dropped"))
    return observed, found


def _none(spec: SeriesSpec) -> Rows:
    whole = np.empty(0, dtype=np.int64)
    return Rows(spec.name, whole.astype("datetime64[D]"), whole, whole.astype(bool), whole, whole.astype(np.float64))
