"""The commands that talk to a bus, on a real one."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cbi_common.events.data import DataExported, DataRequested
from cbi_common.runtime.cli import main
from cbi_common.runtime.connection import connect
from cbi_common.runtime.deadletters import DeadLetter, bury
from cbi_common.runtime.journal import Journal
from cbi_common.runtime.settings import Settings
from cbi_common.testing.bench import eventually
from cbi_common.testing.story import START, Story
from dashboard.adapters.feed import keep_current
from dashboard.domain.known import Known

Say = Callable[..., str]


@pytest.fixture
def lake(tmp_path: Path) -> str:
    return str(tmp_path / "lake")


@pytest.fixture
def say(lake: str, capsys: pytest.CaptureFixture[str]) -> Say:
    def run(*line: str) -> str:
        assert main([*line, "--lake", lake]) == 0
        return capsys.readouterr().out

    return run


def bury_one(lake: str) -> None:
    letter = DeadLetter(
        subject="data.requested", consumer="ingest--export", reason="it was a test", payload='{"market":"zl"}',
        is_base64=False, headers={}, deliveries=3, stream="EVENTS", sequence=1, time=START, correlationid=None,
    )  # fmt: skip

    async def work() -> None:
        async with connect(Settings(lake=lake)) as bus:
            await bury(bus, letter, once_for_all=True)

    asyncio.run(work())


def stored(lake: str) -> list[Any]:
    async def work() -> list[Any]:
        async with connect(Settings(lake=lake)) as bus:
            return await Journal(bus).events()

    return asyncio.run(work())


def test_a_published_event_is_kept_and_found_again(say: Say, lake: str) -> None:
    told = say("publish", "data.requested", "market=zl", "profile=smoke")
    assert "no stack is up" in told
    event_id = told.split()[4]
    (event,) = stored(lake)
    assert (event.id, event.data) == (event_id, DataRequested(market="zl", profile="smoke"))
    (run,) = json.loads(say("status", "--json"))["runs"]
    assert (run["request_id"], run["stage"]) == (event_id, "ingest")
    assert event_id in say("trace", event_id[:8])


def test_a_bare_object_sent_raw_is_an_event_with_the_id_that_was_told(say: Say, lake: str) -> None:
    told = say("publish", "--raw", "data.exported", '{"market": "zl"}')
    (event,) = stored(lake)
    assert event.id == told.split()[4]
    assert event.data == DataExported(market="zl")


def test_a_raw_malformed_message_reaches_the_stream_unchecked(say: Say, lake: str) -> None:
    say("publish", "--raw", "data.exported", "no json")

    async def position() -> int:
        async with connect(Settings(lake=lake)) as bus:
            return await Journal(bus).position()

    assert asyncio.run(position()) == 1
    assert stored(lake) == []


def test_dead_letters_are_listed_shown_and_replayed(say: Say, lake: str) -> None:
    bury_one(lake)
    assert "it was a test" in say("dead", "list")
    assert json.loads(say("dead", "show", "1"))["payload"] == '{"market":"zl"}'
    assert json.loads(say("status", "--json"))["dead_letters"] == 1
    assert "on the bus again" in say("dead", "replay", "1")
    assert json.loads(say("dead", "list", "--json")) == []
    assert [event.subject for event in stored(lake)] == ["data.requested"]


def test_a_letter_that_does_not_exist(say: Say, lake: str, capsys: pytest.CaptureFixture[str]) -> None:
    bury_one(lake)
    with pytest.raises(SystemExit) as left:
        say("dead", "show", "7")
    assert left.value.code == 2
    assert "none has number 7" in capsys.readouterr().err


def test_views_read_a_run_from_the_bus(say: Say, lake: str) -> None:
    async def publish() -> None:
        async with connect(Settings(lake=lake)) as bus:
            for event in Story().whole():
                await bus.publish(event)

    asyncio.run(publish())
    assert list(json.loads(say("forecast", "--json"))["forecasts"]) == ["1w", "1m", "3m", "6m", "12m"]


def test_the_dashboard_knows_the_same_after_a_restart_and_follows_from_there(lake: str) -> None:
    whole = Story().whole()

    async def knows(known: Known, count: int) -> None:
        async def probe() -> bool | None:
            run = known.runs.get("req-1")
            return True if run is not None and len(run.events) == count else None

        await eventually(probe)

    async def work() -> None:
        async with connect(Settings(lake=lake)) as bus:
            for event in whole[:5]:
                await bus.publish(event)
            first, second = Known(), Known()
            async with keep_current(Journal(bus), first)(None):
                await knows(first, 5)
                for event in whole[5:]:
                    await bus.publish(event)
                await knows(first, len(whole))
            async with keep_current(Journal(bus), second)(None):
                await knows(second, len(whole))
            old, new = first.runs.get("req-1"), second.runs.get("req-1")
            assert old is not None
            assert new is not None
            assert old.events == new.events == tuple(whole)

    asyncio.run(work())


def test_the_doctor_finds_this_machine_able(say: Say) -> None:
    found = {check["name"]: check["verdict"] for check in json.loads(say("doctor", "--json"))}
    assert found["bus"] == found["lake"] == found["warehouse"] == "ok"
