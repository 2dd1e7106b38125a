"""What comes round by the clock of the exchange: data and the daily mail, each due time once, also late."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from cbi_common.core.clock import Clock
from cbi_common.core.errors import TransientError, UsageError
from cbi_common.core.identity import derived_id
from cbi_common.events.base import Contract, Envelope, EventData
from cbi_common.events.data import DataRequested
from cbi_common.events.monitoring import MailRequested
from cbi_common.runtime.bus import Bus
from cbi_common.runtime.settings import Settings
from cbi_common.runtime.state import State

if TYPE_CHECKING:
    from apscheduler.schedulers.asyncio import AsyncIOScheduler
    from apscheduler.triggers.cron import CronTrigger

_log = logging.getLogger(__name__)

EXCHANGE = ZoneInfo("America/Chicago")
OFF = "off"

_PREFIX = "schedule."
_FIRST = "first"
_PULSE_S = 60
_FURTHEST_BACK = timedelta(days=35)
"""What was missed longer ago has been overtaken by a later due time of any schedule that is of use."""


@dataclass(frozen=True)
class Schedule:
    """When what is asked for."""

    name: str
    when: str
    trigger: CronTrigger
    asks: EventData

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


class Due(NamedTuple):
    """What a schedule has asked for last and will ask for next."""

    name: str
    market: str
    when: str
    last: datetime
    next: datetime | None


class _Done(Contract):
    """What the shared state keeps of a schedule: the due time that was asked for last, and by which expression."""

    when: str
    due: datetime


def schedules_of(settings: Settings) -> tuple[Schedule, ...]:
    """Return the schedules that the settings ask for; a mail only where one can be sent.

    Raises
    ------
    UsageError
        For a time that is no cron expression.
    """
    market = settings.market
    asked: dict[str, tuple[str, EventData]] = {
        "daily": (
            settings.schedule_daily,
            DataRequested(market=market, profile="standard", reason="schedule daily"),
        ),
        "weekly": (settings.schedule_weekly, DataRequested(market=market, profile="full", reason="schedule weekly")),
    }
    if settings.smtp_host is not None:
        asked["mail"] = (settings.schedule_mail, MailRequested(market=market, reason="schedule mail"))
    return tuple(
        Schedule(name, when, _trigger(name, when), data) for name, (when, data) in asked.items() if when != OFF
    )


def _trigger(name: str, when: str) -> CronTrigger:
    from apscheduler.triggers.cron import CronTrigger

    try:
        if re.search(r"\d", when.split()[-1]):
            raise ValueError("a weekday by number is Monday to some and Sunday to others")
        return CronTrigger.from_crontab(when, timezone=EXCHANGE)
    except (ValueError, IndexError) as error:
        raise UsageError(
            f"{when!r} is no time: {error}",
            where=f"CBI_SCHEDULE_{name.upper()}",
            hint="five fields: minute hour day month weekday, as in '30 18 * * mon-fri', or off",
        ) from None


class Schedules:
    """Asks for what is due.

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
        self._first = settings.schedule_first
        self.schedules = schedules_of(settings)
        self._scheduler: AsyncIOScheduler | None = None

    async def start(self) -> None:
        """Ask for the first data of all, make up for what was missed, then wait for what is due."""
        from apscheduler.schedulers.asyncio import AsyncIOScheduler
        from apscheduler.triggers.combining import OrTrigger
        from apscheduler.triggers.interval import IntervalTrigger

        # Nothing is kept by the scheduler itself: its stores pickle.
        self._scheduler = AsyncIOScheduler(timezone=EXCHANGE)
        pulse = IntervalTrigger(seconds=_PULSE_S, timezone=EXCHANGE)
        if self._first != OFF:
            await self.ask_first()
            self._scheduler.add_job(self.ask_first, pulse, id=_FIRST)
        for schedule in self.schedules:
            await self.ask(schedule)
            # The clock that it waits by stands still while the machine sleeps; and a bus that was away is asked again.
            often = OrTrigger([schedule.trigger, pulse])
            self._scheduler.add_job(
                self.ask, often, args=[schedule], id=schedule.name, coalesce=True, misfire_grace_time=None
            )
        self._scheduler.start()

    def stop(self) -> None:
        """Ask for nothing more."""
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=False)
            self._scheduler = None

    async def ask_first(self) -> None:
        """Ask for the first data of this bus, once for all times."""
        now, key = self._clock(), f"{_PREFIX}{_FIRST}.{self._market}"
        try:
            if await self._state.entry(key) is None:
                asks = DataRequested.model_validate(
                    {"market": self._market, "profile": self._first, "reason": "first start"}
                )
                event_id = derived_id(f"schedule {_FIRST} {self._market}", asks.subject, self._first)
                await self._bus.publish(Envelope.first(asks, source="schedule", now=now, event_id=event_id))
                await self._state.create(key, _Done(when=OFF, due=now).model_dump_json().encode())
                _log.info("a new bus: %s, profile %s", asks.subject, self._first)
        except TransientError as error:
            _log.warning("first start: %s", error)

    async def ask(self, schedule: Schedule) -> None:
        """Ask for what is due, if a due time has passed for which nobody has; a bus that is away is asked next time."""
        try:
            await self._ask(schedule)
        except TransientError as error:
            _log.warning("schedule %s: %s", schedule.name, error)

    async def _ask(self, schedule: Schedule) -> None:
        now, key = self._clock(), f"{_PREFIX}{schedule.name}.{self._market}"
        entry = await self._state.entry(key)
        if entry is None:  # the first start has missed nothing
            await self._state.create(key, _kept(schedule, now))
            return
        done, revision = _Done.model_validate_json(entry[0]), entry[1]
        if done.when != schedule.when:  # nor has a schedule that is new
            await self._state.compare_and_set(key, _kept(schedule, now), revision)
            return
        due = schedule.last_due(done.due, now)
        if due is None:
            return
        event_id = derived_id(f"schedule {schedule.name} {self._market}", schedule.asks.subject, due.isoformat())
        await self._bus.publish(Envelope.first(schedule.asks, source="schedule", now=now, event_id=event_id))
        await self._state.compare_and_set(key, _kept(schedule, due), revision)
        _log.info("schedule %s, due %s: %s", schedule.name, due, schedule.asks.subject)


async def upcoming(state: State, now: datetime) -> list[Due]:
    """Return the schedules that somebody has kept, by name and market."""
    found = []
    for key in await state.keys(_PREFIX):
        kept = await state.get(key)
        name, market = key.removeprefix(_PREFIX).split(".")
        done = None if kept is None else _Done.model_validate_json(kept)
        if done is not None and done.when != OFF:
            following = _trigger(name, done.when).get_next_fire_time(None, now)
            found.append(Due(name, market, done.when, done.due.astimezone(EXCHANGE), following))
    return found


def _kept(schedule: Schedule, due: datetime) -> bytes:
    return _Done(when=schedule.when, due=due).model_dump_json().encode()
