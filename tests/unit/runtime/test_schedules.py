"""What comes round is asked for once per due time, whoever looks after it, and a missed time is made up for once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cbi_common.core.errors import TransientError, UsageError
from cbi_common.events.base import Envelope
from cbi_common.events.monitoring import MailRequested
from cbi_common.runtime import schedules as module
from cbi_common.runtime.schedules import EXCHANGE, Schedules, schedules_of, upcoming
from cbi_common.runtime.settings import Settings
from cbi_common.testing.fakes import FakeState

MONDAY = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)  # noon in Chicago


class FakeBus:
    """Takes events; is away as often as it is told to be."""

    def __init__(self, away: int = 0) -> None:
        self.events: list[Envelope[Any]] = []
        self.away = away
        self.taken = asyncio.Event()

    async def publish(self, event: Envelope[Any]) -> None:
        if self.away:
            self.away -= 1
            raise TransientError("no bus", where="test")
        self.events.append(event)
        self.taken.set()


class World:
    """Schedules on a clock that tests set."""

    def __init__(self, bus: FakeBus | None = None, state: FakeState | None = None, **settings: Any) -> None:
        self.now = MONDAY
        self.bus, self.state = bus or FakeBus(), state or FakeState()
        chosen = Settings(schedules=True, **settings)
        self.schedules = Schedules(chosen, self.bus, self.state, lambda: self.now)  # type: ignore[arg-type]
        self.daily = next(s for s in self.schedules.schedules if s.name == "daily")

    def ask(self, after: timedelta = timedelta()) -> list[Envelope[Any]]:
        self.now += after
        asyncio.run(self.schedules.ask(self.daily))
        return self.bus.events


def test_the_first_start_has_missed_nothing() -> None:
    assert World().ask() == []


def test_a_due_time_is_asked_for_once() -> None:
    world = World()
    world.ask()
    (event,) = world.ask(timedelta(hours=7))  # 19:00 in Chicago
    assert (event.data.market, event.data.profile, event.data.reason) == ("zl", "standard", "schedule daily")
    assert world.ask(timedelta(minutes=1)) == [event]
    assert len(world.ask(timedelta(days=1))) == 2


def test_of_several_missed_times_one_is_made_up_for() -> None:
    world = World()
    world.ask()
    assert len(world.ask(timedelta(days=9))) == 1
    assert len(world.ask(timedelta(minutes=1))) == 1


def test_two_processes_ask_with_one_id() -> None:
    state = FakeState()
    first, second = World(state=state), World(state=state)
    first.ask()
    known = asyncio.run(state.entry("schedule.daily.zl"))
    assert known is not None
    (a,) = first.ask(timedelta(hours=7))
    asyncio.run(state.put("schedule.daily.zl", known[0]))  # the second looked before the first had noted it
    (b,) = second.ask(timedelta(hours=8))
    assert a.id == b.id


def test_a_request_that_was_not_noted_is_made_again_under_the_same_id() -> None:
    world = World()
    world.ask()
    before = asyncio.run(world.state.entry("schedule.daily.zl"))
    assert before is not None
    world.ask(timedelta(hours=7))
    asyncio.run(world.state.put("schedule.daily.zl", before[0]))
    first, again = world.ask()
    assert first.id == again.id


def test_a_bus_that_is_away_is_asked_again_later() -> None:
    world = World(FakeBus(away=2))
    world.ask()
    assert world.ask(timedelta(hours=7)) == world.ask(timedelta(minutes=1)) == []
    assert len(world.ask(timedelta(minutes=1))) == 1


def test_the_machine_slept_and_the_next_look_makes_up_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PULSE_S", 0.05)
    world = World(schedule_weekly="off")

    async def go() -> None:
        await world.schedules.start()
        world.now += timedelta(hours=7)  # by the wall; the loop's own clock has not moved
        await asyncio.wait_for(world.bus.taken.wait(), 5)
        await asyncio.sleep(0.2)
        world.schedules.stop()

    asyncio.run(go())
    assert len(world.bus.events) == 1


def test_another_time_begins_anew() -> None:
    state = FakeState()
    World(state=state).ask()
    later = World(state=state, schedule_daily="0 12 * * mon-fri")
    assert later.ask(timedelta(hours=7)) == []
    assert len(later.ask(timedelta(days=1))) == 1


def test_a_new_bus_is_asked_for_its_first_data_once() -> None:
    state = FakeState()
    world = World(FakeBus(away=1), state, schedule_first="smoke")
    asyncio.run(world.schedules.ask_first())  # the bus is away
    assert world.bus.events == []
    asyncio.run(world.schedules.ask_first())
    asyncio.run(world.schedules.ask_first())
    asyncio.run(World(state=state, schedule_first="smoke").schedules.ask_first())
    (event,) = world.bus.events
    assert (event.subject, event.data.profile, event.data.reason) == ("data.requested", "smoke", "first start")
    assert asyncio.run(upcoming(state, world.now)) == []


def test_the_mail_comes_round_where_one_can_be_sent() -> None:
    assert "mail" not in {s.name for s in World().schedules.schedules}
    world = World(smtp_host="mail.example.com", smtp_from="cbi@example.com", smtp_to=("chris@example.com",))
    world.daily = next(s for s in world.schedules.schedules if s.name == "mail")
    world.ask()
    (event,) = world.ask(timedelta(hours=19, seconds=1))  # 07:00 in Chicago
    assert (event.subject, event.data.market, event.data.reason) == ("mail.requested", "zl", "schedule mail")


def test_the_night_when_the_clocks_change_has_one_mail_at_seven() -> None:
    trigger = module._trigger("mail", "0 7 * * *")
    mail = module.Schedule("mail", "", trigger, MailRequested(market="zl"))
    for night, hours in (
        (datetime(2026, 3, 7, 12, tzinfo=EXCHANGE), 23),
        (datetime(2026, 10, 31, 12, tzinfo=EXCHANGE), 25),
    ):
        evening = mail.last_due(night - timedelta(days=1), night)
        morning = mail.next_due(night)
        assert evening is not None
        assert morning is not None
        assert (evening.hour, morning.hour) == (7, 7)
        assert morning.astimezone(UTC) - evening.astimezone(UTC) == timedelta(hours=hours)


def test_every_weekday_of_a_year_has_one_due_time_whatever_the_clocks_do() -> None:
    (daily, _weekly) = schedules_of(Settings())
    at, days = datetime(2026, 1, 1, tzinfo=EXCHANGE), []
    while (due := daily.next_due(at)) is not None and due.year == 2026:
        assert daily.last_due(at, due) == due
        assert daily.last_due(due, due) is None
        days.append(due)
        at = due + timedelta(seconds=1)
    assert {(due.hour, due.minute) for due in days} == {(18, 30)}
    assert len({due.date() for due in days}) == len(days) == 261
    assert len({due.utcoffset() for due in days}) == 2  # summer and winter


def test_a_schedule_can_be_off_and_a_time_that_is_none_is_refused() -> None:
    assert schedules_of(Settings(schedule_daily="off", schedule_weekly="off")) == ()
    with pytest.raises(UsageError, match="'every day' is no time") as refused:
        schedules_of(Settings(schedule_daily="every day"))
    assert refused.value.where == "CBI_SCHEDULE_DAILY"


def test_a_weekday_by_number_is_refused_because_it_means_two_things() -> None:
    with pytest.raises(UsageError, match="Monday to some and Sunday to others"):
        schedules_of(Settings(schedule_weekly="0 9 * * 0"))


def test_a_start_catches_up_and_a_stop_ends_it() -> None:
    world = World(schedule_weekly="off")
    world.ask()
    world.now += timedelta(days=1)

    async def go() -> None:
        await world.schedules.start()
        world.schedules.stop()

    asyncio.run(go())
    assert len(world.bus.events) == 1


def test_what_is_kept_says_what_is_due_next() -> None:
    world = World()
    world.ask()
    world.ask(timedelta(hours=7))
    (due,) = asyncio.run(upcoming(world.state, world.now))
    assert (due.name, due.market, due.when) == ("daily", "zl", "30 18 * * mon-fri")
    assert due.last == datetime(2026, 11, 23, 18, 30, tzinfo=EXCHANGE)
    assert due.next == datetime(2026, 11, 24, 18, 30, tzinfo=EXCHANGE)
