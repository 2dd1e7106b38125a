"""Rows of one series as they come out of a table, on the way to one observation per session."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cbi_common.events.data import Severity
from cbi_common.markets.spec import SeriesSpec
from cbi_common.timeseries.calendar import FIRST_DAY, LAST_DAY, session_numbers
from ingest.domain.flaws import Flaw

Mask = NDArray[np.bool_]

SHOWN = 5
"""Rows that a finding shows."""


@dataclass(frozen=True)
class Rows:
    """Rows of one series.

    Attributes
    ----------
    name : str
    days : (n,) datetime64[D]
    sessions : (n,) int64
        Session at whose close the value is known: that of the day, or the next one after a day without a session.
    on_session : (n,) bool
        Whether the day is a session.
    ranks : (n,) int64
        Place of the row's source in the order of preference, 0 first.
    values : (n,) float64
    """

    name: str
    days: NDArray[np.datetime64]
    sessions: NDArray[np.int64]
    on_session: Mask
    ranks: NDArray[np.int64]
    values: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.days)

    def take(self, which: Mask | NDArray[np.int64]) -> Rows:
        """Return the rows that a mask or an index chooses."""
        return replace(
            self,
            days=self.days[which],
            sessions=self.sessions[which],
            on_session=self.on_session[which],
            ranks=self.ranks[which],
            values=self.values[which],
        )

    def flaws(self, check: str, which: Mask, done: str, severity: Severity = "repaired") -> list[Flaw]:
        """Return the flaw of the chosen rows, or none when none is chosen."""
        count = int(which.sum())
        if not count:
            return []
        bad = self.take(which)
        first = bad.take(np.argsort(bad.days, kind="stable")[:SHOWN])
        shown = ", ".join(f"{value:g} on {day}" for day, value in zip(first.days, first.values, strict=True))
        more = f" and {count - SHOWN} more" if count > SHOWN else ""
        sample = tuple(_json_row(self.name, d, v) for d, v in zip(first.days, first.values, strict=True))
        return [Flaw(check, severity, count, f"{self.name}: {shown}{more}", sample, done=done)]


def read_days(table: pa.Table, column: str) -> NDArray[np.datetime64]:
    """Return the column as days, NaT where it is null or outside the calendar; a time of day is cut off."""
    days: NDArray[np.datetime64] = (
        pc.cast(table[column], pa.date32(), safe=False).to_numpy(zero_copy_only=False).astype("datetime64[D]")
    )
    outside = (days < np.datetime64(FIRST_DAY)) | (days > np.datetime64(LAST_DAY))
    days[outside] = np.datetime64("NaT")
    return days


def read_rows(
    table: pa.Table, spec: SeriesSpec, days: NDArray[np.datetime64], as_of: date, keep: Mask | None = None
) -> Rows:
    """Return the rows of a series that pass its filters and lie at or before ``as_of``.

    Parameters
    ----------
    table : pa.Table
        Has the columns of the series, the value column numeric.
    spec : SeriesSpec
    days : (n,) datetime64[D]
        From `read_days`.
    as_of : date
        Nothing after it is looked at.
    keep : (n,) bool, optional
        Rows that may be read at all.
    """
    keep = np.ones(len(days), dtype=bool) if keep is None else keep
    ranks = np.zeros(len(days), dtype=np.int64)
    passed = ~np.isnat(days) & (days <= np.datetime64(as_of)) & keep
    for column, accepted in spec.where.items():
        index = pc.index_in(pc.cast(table[column], pa.string()), value_set=pa.array(accepted))
        place = np.nan_to_num(index.to_numpy(zero_copy_only=False), nan=-1).astype(np.int64)
        passed &= place >= 0
        ranks = ranks * len(accepted) + place
    raw = table[spec.value]
    values = pc.cast(raw, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    numbers, on_session = session_numbers(days[passed])
    sessions = numbers + ~on_session
    return Rows(spec.name, days[passed], sessions, on_session, ranks[passed], values[passed].astype(np.float64))


def _json_row(name: str, day: np.datetime64, value: np.float64) -> dict[str, Any]:
    return {"date": str(day), "series": name, "value": float(value) if np.isfinite(value) else None}
