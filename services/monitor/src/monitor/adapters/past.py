"""What the mails are made of: the events so far."""

from __future__ import annotations

from datetime import datetime

from cbi_common.events.base import EventData
from cbi_common.events.data import DataExported, DataRejected, DataRequested
from cbi_common.events.explanation import ExplanationReady
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.monitoring import AlertRaised
from cbi_common.events.regime import RegimeDetected
from cbi_common.reporting.projection import Runs
from cbi_common.runtime.journal import Journal

_DATA: tuple[type[EventData], ...] = (DataExported, DataRejected)
_ALL: tuple[type[EventData], ...] = (
    *_DATA,
    DataRequested,
    RegimeDetected,
    ForecastReady,
    ExplanationReady,
    AlertRaised,
)


class Past:
    """Reads the event stream of one bus."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def data(self) -> Runs:
        """Return what every pass says of its data: market, title, unit, world."""
        return await self._read(_DATA)

    async def everything(self) -> Runs:
        """Return all that the daily mail tells of."""
        return await self._read(_ALL)

    async def dead_letters(self) -> list[datetime]:
        """Return when the messages that were given up had been published."""
        return [letter.time for letter in await self._journal.dead_letters()]

    async def _read(self, kinds: tuple[type[EventData], ...]) -> Runs:
        return Runs(await self._journal.events([kind.subject for kind in kinds]))
