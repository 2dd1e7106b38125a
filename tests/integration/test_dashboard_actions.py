"""What a person does on the pages, on a real bus: recorded, done once, and seen by the pages themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cbi_common.core.clock import system_clock
from cbi_common.core.errors import UsageError
from cbi_common.events.decision import CoverRecorded
from cbi_common.procurement.purchase import Purchase
from cbi_common.runtime.bus import Bus
from cbi_common.runtime.connection import connect
from cbi_common.runtime.deadletters import DeadLetter, bury
from cbi_common.runtime.journal import Journal
from cbi_common.runtime.settings import Settings
from cbi_common.testing.bench import eventually
from cbi_common.testing.story import START
from dashboard.adapters.actions import Actions
from dashboard.adapters.feed import keep_current
from dashboard.domain.known import Known


def on_a_bus(tmp_path: Path, work: Callable[[Bus, Known, Actions], Awaitable[None]]) -> None:
    async def connected() -> None:
        async with connect(Settings(lake=str(tmp_path / "lake"))) as bus:
            known = Known()
            async with keep_current(Journal(bus), known)(None):
                await work(bus, known, Actions(bus, known, system_clock))

    asyncio.run(connected())


async def told(bus: Bus, subject: str) -> list[Any]:
    return [event for event in await Journal(bus).events() if event.subject == subject]


def test_a_run_is_asked_for_once_and_recorded_with_who_asked(tmp_path: Path) -> None:
    async def work(bus: Bus, known: Known, actions: Actions) -> None:
        first = await actions.run("zl", "quick", "kirk", seen=known.version)
        assert await actions.run("zl", "quick", "kirk", seen=known.version) == first
        (taken,) = await told(bus, "action.taken")
        (asked,) = await told(bus, "data.requested")
        assert (taken.data.by, taken.data.action, taken.data.market) == ("kirk", "run", "zl")
        assert (asked.id, asked.causationid, asked.data.reason) == (first, taken.id, "by hand: kirk")

        async def shown() -> bool | None:
            return True if known.runs.get(first) else None

        await eventually(shown)

    on_a_bus(tmp_path, work)


def test_a_message_is_sent_again_and_its_letter_is_gone(tmp_path: Path) -> None:
    letter = DeadLetter(
        subject="data.requested", consumer="ingest--export", reason="it was a test", payload='{"market":"zl"}',
        is_base64=False, headers={}, deliveries=3, stream="EVENTS", sequence=1, time=START, correlationid=None,
    )  # fmt: skip

    async def work(bus: Bus, known: Known, actions: Actions) -> None:
        await bury(bus, letter, once_for_all=True)

        async def shown() -> bool | None:
            return True if known.given_up else None

        await eventually(shown)
        await actions.replay(known.given_up[0].number, "kirk")
        assert known.given_up == ()
        (taken,) = await told(bus, "action.taken")
        assert taken.data.what == "dead letter 1 (data.requested) sent again"
        assert [event.source for event in await told(bus, "data.requested")] == ["external"]
        with pytest.raises(UsageError, match="none has number 1"):
            await actions.replay(1, "kirk")

    on_a_bus(tmp_path, work)


def test_a_bus_that_went_away_is_noticed_and_its_return_too(tmp_path: Path) -> None:
    class Away(Journal):
        away = True

        async def position(self, *, stream: str = "EVENTS") -> int:
            if self.away:
                from cbi_common.core.errors import TransientError

                raise TransientError("the bus does not answer")
            return await super().position(stream=stream)

    async def work() -> None:
        async with connect(Settings(lake=str(tmp_path / "lake"))) as bus:
            known, journal = Known(), Away(bus)

            async def lost() -> bool | None:
                return True if known.lost else None

            async def back() -> bool | None:
                return True if known.lost is None and not known.reading else None

            async with keep_current(journal, known)(None):
                await eventually(lost)
                assert known.reading
                journal.away = False
                await eventually(back)

    asyncio.run(work())


def test_what_was_bought_is_recorded_once_and_kept_in_the_ledger(tmp_path: Path) -> None:
    mine = {"market": "zl", "simulated": False, "by": "chris"}
    purchase = Purchase(month="2025-07", quantity=60_000, price=50, basis=0, bought=date(2025, 5, 1))

    async def work(bus: Bus, known: Known, actions: Actions) -> None:
        data = CoverRecorded(**mine, purchases=(purchase,))
        assert await actions.decide(data, seen=4) == await actions.decide(data, seen=4)
        assert len(await told(bus, "cover.recorded")) == 1
        assert await actions.decide(data, seen=5)
        assert known.decisions.book("zl", simulated=False).bought("2025-07") == 120_000

        async def kept() -> bool | None:
            ledger = await Journal(bus).events(["cover.recorded"], stream="LEDGER")
            return True if len(ledger) == 2 else None

        await eventually(kept)
        # What is older than the events are kept lies in the ledger alone, and a page that starts later reads it there.
        await bus.jetstream.purge_stream("EVENTS")
        later = Known()
        async with keep_current(Journal(bus), later)(None):

            async def read() -> bool | None:
                return True if later.decisions.book("zl", simulated=False).entries else None

            await eventually(read)
        assert later.decisions.book("zl", simulated=False).bought("2025-07") == 120_000

    on_a_bus(tmp_path, work)
