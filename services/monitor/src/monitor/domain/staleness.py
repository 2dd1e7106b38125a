"""Tables whose newest row is older than the market file allows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from cbi_common.events.data import TableQuality
from cbi_common.markets.spec import Market
from cbi_common.timeseries.calendar import session_date, session_number
from monitor.domain.finding import Finding

_BETWEEN = {"session": 1, "week": 5, "month": 23}
"""Sessions between two observations, at most."""


def find_stale(market: Market, quality: Mapping[str, TableQuality], as_of: date) -> list[Finding]:
    """Return the tables that ought to have a newer row.

    A row is due when the one after it has been released and may not be carried any longer: the release lag, the time
    between two observations and the staleness limit of the most patient of the table's series.

    Parameters
    ----------
    market : Market
    quality : table to the gate's verdict
    as_of : date
    """
    found, today = [], session_number(as_of)
    for name, (newest, age, allowed) in _ages(market, quality, as_of).items():
        if age > allowed:
            found.append(
                Finding(
                    condition=f"stale/{name}",
                    where=name,
                    what=f"{name} ends on {newest}, {age} sessions before {as_of}; {allowed} are usual at most",
                    hint="look at what loads the table; its series are unknown from now on",
                    since=session_date(today - age + allowed + 1),
                    evidence={"newest": newest.isoformat(), "age_sessions": age, "allowed_sessions": allowed},
                )
            )
    return found


def staleness_scores(market: Market, quality: Mapping[str, TableQuality], as_of: date) -> dict[str, float]:
    """Return by table its age over what is usual at most."""
    return {name: age / max(allowed, 1) for name, (_, age, allowed) in _ages(market, quality, as_of).items()}


def _ages(market: Market, quality: Mapping[str, TableQuality], as_of: date) -> dict[str, tuple[date, int, int]]:
    """Return by table its newest row, that row's age in sessions, and the age that is usual at most."""
    found, today = {}, session_number(as_of)
    for name, specs in market.tables.items():
        newest = quality[name].newest if name in quality else None
        if newest is not None:
            allowed = max(s.release_lag_sessions + _BETWEEN[s.frequency] - 1 + s.staleness_sessions for s in specs)
            found[name] = newest, today - session_number(newest), allowed
    return found
