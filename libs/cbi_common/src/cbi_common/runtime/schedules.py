"""What comes round: data asked for by the clock of the exchange, every due time once, a missed one caught up once."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from cbi_common.core.clock import Clock
from cbi_common.core.errors import TransientError, UsageError
from cbi_common.core.identity import derived_id
from cbi_common.events.base import Envelope
from cbi_common.events.data import DataRequested
from cbi_common.events.manifest import Profile
from cbi_common.runtime.bus import Bus
from cbi_common.runtime.settings import Settings
from cbi_common.runtime.state import State

if TYPE_CHECKING:
    from apscheduler.schedulers.asyncio import AsyncIOScheduler
    from apscheduler.triggers.cron import CronTrigger

_log = logging.getLogger(__name__)

EXCHANGE = ZoneInfo("America/Chicago")
OFF = "off"

_AGAIN_S = 30.0
_FURTHEST_BACK = timedelta(days=35)
"""What was missed longer ago has been overtaken by a later due time of any schedule that is of use."""


@dataclass(frozen=True)
class Schedule:
    """When which profile is asked for."""

    name: str
    trigger: CronTrigger
    profile: Profile

    def last_due(self, after: datetime, now: datetime) -> datetime | None:
        """Return the latest due time after ``after`` and not after ``now``, None when there is none."""
        found, at = None, max(after, now - _FURTHEST_BACK)
        while (due := self.trigger.get_next_fire_time(None, at + timedelta(microseconds=1))) is not None:
            if due > now:
                break
            found = at = due
        return found

    def next_due(self, now: datetime) -> datetime | None:
        """Return the next due time."""
        due: datetime | None = self.trigger.get_next_fire_time(None, now)
        return due


def schedules_of(settings: Settings) -> tuple[Schedule, ...]:
    """Return the schedules that the settings ask for.

    Raises
    ------
    UsageError
        For a time that is no cron expression.
    """
    asked: tuple[tuple[str, str, Profile], ...] = (
        ("daily", settings.schedule_daily, "standard"),
        ("weekly", settings.schedule_weekly, "full"),
    )
    return tuple(Schedule(name, _trigger(name, when), profile) for name, when, profile in asked if when != OFF)


def _trigger(name: str, when: str) -> CronTrigger:
    from apscheduler.triggers.cron import CronTrigger

    try:
        return CronTrigger.from_crontab(when, timezone=EXCHANGE)
    except ValueError as error:
        raise UsageError(
            f"{when!r} is no time: {error}",
            where=f"CBI_SCHEDULE_{name.upper()}",
            hint="five fields: minute hour day month weekday, as in '30 18 * * mon-fri', or off",
        ) from None


class Schedules:
    """Asks for data when it is due.

    The due time that was done last lies in the shared state, and the id of a request follows from schedule, market and
    due time: however many processes look after the schedules, and whenever one of them dies, a due time is asked for
    once. Of several that were missed only the last is made up for.

    Parameters
    ----------
    settings : Settings
    bus : Bus
        Takes the requests; connected.
    state : State
    clock : Clock
    """

    def __init__(self, settings: Settings, bus: Bus, state: State, clock: Clock) -> None:
        self._market, self._bus, self._state, self._clock = settings.market, bus, state, clock
        self.schedules = schedules_of(settings)
        self._scheduler: AsyncIOScheduler | None = None

    async def start(self) -> None:
        """Make up for what was missed, then wait for what is due."""
        from apscheduler.schedulers.asyncio import AsyncIOScheduler

        # Nothing is kept by the scheduler itself: its stores pickle.
        self._scheduler = AsyncIOScheduler(timezone=EXCHANGE)
        for schedule in self.schedules:
            await self.ask(schedule)
            self._scheduler.add_job(
                self.ask, schedule.trigger, args=[schedule], id=schedule.name, coalesce=True, misfire_grace_time=None
            )
        self._scheduler.start()

    def stop(self) -> None:
        """Ask for nothing more."""
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=False)
            self._scheduler = None

    async def ask(self, schedule: Schedule) -> None:
        """Ask for data if a due time has passed that nobody has asked for; waits for a bus that is away."""
        while True:
            try:
                return await self._ask(schedule)
            except TransientError as error:
                _log.warning("schedule %s: %s; tried again in %g s", schedule.name, error, _AGAIN_S)
                await asyncio.sleep(_AGAIN_S)

    async def _ask(self, schedule: Schedule) -> None:
        now, key = self._clock(), f"schedule.{schedule.name}.{self._market}"
        known = await self._state.entry(key)
        if known is None:  # the first start has missed nothing
            await self._state.create(key, now.isoformat().encode())
            return
        due = schedule.last_due(datetime.fromisoformat(known[0].decode()), now)
        if due is None:
            return
        data = DataRequested.model_validate(
            {"market": self._market, "profile": schedule.profile, "reason": f"schedule {schedule.name}"}
        )
        event_id = derived_id(f"schedule {schedule.name} {self._market}", data.subject, due.isoformat())
        await self._bus.publish(Envelope.first(data, source="schedule", now=now, event_id=event_id))
        await self._state.compare_and_set(key, due.isoformat().encode(), known[1])
        _log.info("schedule %s, due %s: asked for profile %s", schedule.name, due, schedule.profile)
