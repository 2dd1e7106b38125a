"""What is known of one market in one world at a time: a fold of events, so that two times can be compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cbi_common.events.base import Envelope
from cbi_common.events.data import DataRequested
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.monitoring import AlertRaised
from cbi_common.reporting.projection import Run, Runs
from monitor.domain.mail.notice import Origin


@dataclass(frozen=True)
class Known:
    """The newest forecast and all that belongs to it."""

    origin: Origin
    run: Run | None
    """The pass with the newest final forecast."""
    passes: tuple[Run, ...]
    """Of the market, oldest first."""
    alerts: tuple[Envelope[AlertRaised], ...]
    """Oldest first."""
    retrains: tuple[Envelope[DataRequested], ...]
    """That a drift asked for, oldest first."""

    @property
    def forecast(self) -> Envelope[ForecastReady] | None:
        """The newest final forecast."""
        return None if self.run is None else self.run.forecast

    def open_alerts(self) -> list[Envelope[AlertRaised]]:
        """Return the alerts of conditions that hold, oldest first."""
        latest = {alert.data.condition: alert for alert in self.alerts if alert.data.condition}
        return [alert for alert in latest.values() if not alert.data.resolved]


def known_at(runs: Runs, market: str, at: datetime | None = None) -> Known:
    """Return what was known of a market; of the world, real or simulated, that its newest pass is about.

    Parameters
    ----------
    runs : Runs
    market : str
    at : datetime, optional
        Nothing later counts.
    """
    newest = _of_market(runs, market)
    simulated = newest[-1].simulated if newest else None

    def counts(event: Envelope[Any]) -> bool:
        return at is None or event.time <= at

    passes = tuple(
        Run(run.correlation_id, events)
        for run in newest
        if run.simulated == simulated and (events := tuple(filter(counts, run.events)))
    )
    final = [run for run in passes if _final(run)]
    return Known(
        origin=_origin(market, newest[-1] if newest else None),
        run=final[-1] if final else None,
        passes=passes,
        alerts=tuple(e for e in _alerts(runs, market, simulated) if counts(e)),
        retrains=tuple(e for e in _retrains(runs, market, _in_world(runs, simulated)) if counts(e)),
    )


def origin_of(runs: Runs, market: str | None, correlation_id: str) -> Origin:
    """Return which market and world an event is about: those of its pass, or of the market's newest one."""
    run = runs.get(correlation_id)
    if run is None and market is not None:
        run = next(reversed(_of_market(runs, market)), None)
    return _origin(market, run)


def _origin(market: str | None, run: Run | None) -> Origin:
    export = None if run is None or run.export is None else run.export.data
    return Origin(
        market=market,
        title=(export.title if export else "") or market or "CBI",
        unit=export.unit if export else "",
        simulated=None if run is None else run.simulated,
    )


def _of_market(runs: Runs, market: str) -> list[Run]:
    """Return the passes over data of a market that have come as far as to say which world they are about."""
    return [run for run in runs.all() if run.simulated is not None and _market(run) == market]


def _market(run: Run) -> str | None:
    found = (run.export.data if run.export else None) or run.rejected
    return None if found is None else found.market


def _final(run: Run) -> bool:
    return run.forecast is not None and not run.forecast.data.provisional


def _in_world(runs: Runs, simulated: bool | None) -> Callable[[Envelope[Any]], bool]:
    def within(event: Envelope[Any]) -> bool:
        run = runs.get(event.correlationid)
        return run is None or run.simulated is None or run.simulated == simulated

    return within


def _alerts(runs: Runs, market: str, simulated: bool | None) -> list[Envelope[AlertRaised]]:
    within = _in_world(runs, simulated)
    return [e for e in runs.of(AlertRaised) if e.data.market in (market, None) and within(e)]


def _retrains(runs: Runs, market: str, within: Callable[[Envelope[Any]], bool]) -> list[Envelope[DataRequested]]:
    asked = [e for e in runs.of(DataRequested) if e.data.refit and e.causationid is not None]
    return [e for e in asked if e.data.market == market and within(e)]
