"""Whether all is well, line by line."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from cbi_common.events.forecast import ForecastReady
from cbi_common.reporting.projection import Run
from monitor.domain.mail.known import Known

_NAMED = 4
_LATE_AFTER = timedelta(days=4)
"""A long weekend without a pass."""


class Line(NamedTuple):
    """A label and what stands beside it."""

    label: str
    text: str
    bad: bool


def health(known: Known, since: datetime | None, now: datetime, age: int | None, usual: int) -> tuple[Line, ...]:
    """Return the lines.

    Parameters
    ----------
    known : Known
    since : datetime or None
        When the last mail was sent.
    now : datetime
    age : int or None
        Sessions from the forecast's data to today.
    usual : int
        What is usual at most.
    """
    lines = [_data(age, usual), _last_pass(known, now)]
    if known.forecast is not None:
        lines.append(_members(known.forecast.data))
    return (*lines, *_conditions(known), *_single(known, since, now))


def _data(age: int | None, usual: int) -> Line:
    if age is None:
        return Line("Data", "no forecast, so none that it rests on", bad=True)
    return Line("Data", f"{age} session{'' if age == 1 else 's'} old", age > usual)


def _last_pass(known: Known, now: datetime) -> Line:
    if not known.passes:
        return Line("Last pass", "none yet", bad=True)
    last = known.passes[-1]
    hours = (now - last.ended) / timedelta(hours=1)
    text = f"{hours:.0f} hours ago" if hours < 48 else f"{hours / 24:.0f} days ago"
    why = _trouble(last)
    return Line("Last pass", f"{text}{f'; {why}' if why else ''}", bool(why) or now - last.ended > _LATE_AFTER)


def _trouble(run: Run) -> str:
    if run.rejected is not None:
        return f"the data were refused: {run.rejected.table}: {run.rejected.message}"
    if run.critical is not None:
        return f"{run.critical.source}: {run.critical.what}"
    if run.forecast is None:
        return "it has no forecast yet"
    return "its forecast is provisional" if run.forecast.data.provisional else ""


def _members(forecast: ForecastReady) -> Line:
    missing = forecast.missing_members
    text = f"{len(missing)} missing: {_some(missing)}" if missing else "all have spoken"
    return Line("Models", text, bool(missing))


def _conditions(known: Known) -> list[Line]:
    found = known.open_alerts()
    if not found:
        return [Line("Alerts", "none open", bad=False)]
    return [
        Line("Alert", f"{alert.data.what}{f' (since {alert.data.since})' if alert.data.since else ''}", bad=True)
        for alert in found
    ]


def _single(known: Known, since: datetime | None, now: datetime) -> list[Line]:
    start = since or now - timedelta(days=1)
    return [
        Line("Alert", f"{alert.data.what} ({alert.data.source})", bad=True)
        for alert in known.alerts
        if not alert.data.condition and alert.data.severity != "info" and alert.time > start
    ]


def _some(names: Iterable[str]) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - _NAMED} more" if len(listed) > _NAMED else ""
    return ", ".join(listed[:_NAMED]) + more
