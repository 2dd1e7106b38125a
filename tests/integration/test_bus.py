"""Publishing, streams and state on a real nats-server, with and without one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from cbi_common.core.errors import ContractError, InfrastructureError, TransientError, UsageError
from cbi_common.events.base import Envelope, EventData
from cbi_common.events.promotion import ModelShadowed
from cbi_common.runtime import nats_server
from cbi_common.runtime.bus import Bus
from cbi_common.runtime.deadletters import DeadLetter, bury
from cbi_common.runtime.service import Outgoing
from cbi_common.runtime.settings import Settings
from cbi_common.runtime.state import State
from cbi_common.testing.bench import Answered, Asked, Bench, TaskQueued, bench, eventually
from cbi_common.testing.fakes import NOW, FakeState


def play(folder: Path, scene: Callable[[Bench], Awaitable[None]], **settings: Any) -> None:
    async def go() -> None:
        async with bench(folder, **settings) as stage:
            await scene(stage)

    asyncio.run(go())


def test_every_stream_is_as_declared_and_declaring_again_changes_nothing(tmp_path: Path) -> None:
    async def scene(stage: Bench) -> None:
        await stage.bus.declare_streams()
        infos = {name: (await stage.bus.jetstream.stream_info(name)).config for name in ("EVENTS", "JOBS", "DEAD")}
        assert {"data.exported", "model.promoted", "test.asked"} <= set(infos["EVENTS"].subjects or ())
        assert {"jobs.train.cpu", "jobs.train.metal"} <= set(infos["JOBS"].subjects or ())
        assert infos["JOBS"].retention == "workqueue"
        assert infos["EVENTS"].max_age == 90 * 24 * 3600
        assert all(config.storage == "file" for config in infos.values())

    play(tmp_path, scene)


def test_an_older_version_takes_no_subject_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(stage: Bench) -> None:
        monkeypatch.setattr(EventData, "classes", staticmethod(lambda: iter([Asked, TaskQueued])))
        await stage.bus.declare_streams()
        subjects = (await stage.bus.jetstream.stream_info("EVENTS")).config.subjects or ()
        assert "data.exported" in subjects

    play(tmp_path, scene)


def test_promotions_go_into_the_ledger(tmp_path: Path) -> None:
    async def scene(stage: Bench) -> None:
        await stage.ask("something else")
        shadowed = ModelShadowed(market="zl", run_id="r", horizon="1w", challenger="ets", champion=None)
        await stage.publish(shadowed, "s")

        async def kept() -> list[Envelope[Any]] | None:
            return await stage.journal.events(stream="LEDGER") or None

        # The ledger reads its source in the background; its events are numbered by the ledger.
        (event,) = await eventually(kept)
        assert event.data == shadowed

    play(tmp_path, scene)


def test_too_large_an_event_breaks_the_contract(tmp_path: Path) -> None:
    async def scene(stage: Bench) -> None:
        with pytest.raises(
            ContractError, match=r"test.asked: [\d,]+ bytes are too many for the bus; put it in the lake"
        ):
            await stage.publish(Asked(text="x" * 1_100_000), "larger")

    play(tmp_path, scene)


def test_a_large_dead_letter_leaves_its_payload_in_the_stream(tmp_path: Path) -> None:
    async def scene(stage: Bench) -> None:
        await stage.start(lambda s: s.on(Asked, _refuse))
        asked = await stage.publish(Asked(text="x" * 900_000), "large")
        (dead,) = await stage.dead(1)
        assert dead.payload is None
        await stage.journal.replay(dead.number)
        again = (await stage.journal.events())[-1]
        assert again.data == asked.data

    play(tmp_path, scene)


def test_an_unknown_subject_is_refused_by_name(tmp_path: Path) -> None:
    async def scene(stage: Bench) -> None:
        with pytest.raises(ContractError, match=r"data.exportd: no such event; use one of: .*data.exported"):
            await stage.bus.send("data.exportd", b"{}")

    play(tmp_path, scene)


def test_publishing_without_a_server_is_transient_and_waits_no_longer_than_told(tmp_path: Path) -> None:
    async def scene(stage: Bench) -> None:
        bus = Bus(stage.settings, "impatient", patience_s=0.5)
        await bus.connect()
        await stage.server.stop()
        begun = time.monotonic()
        with pytest.raises(TransientError, match=r"nobody acknowledged it for 0\.5 s"):
            await bus.publish(Envelope.first(Asked(text="x"), source="t", now=NOW, event_id="1"))
        assert time.monotonic() - begun < 5
        with pytest.raises(TransientError):
            await State(bus).get("x")
        await bus.close()

    play(tmp_path, scene)


def test_publishing_waits_for_a_server_that_comes_back(tmp_path: Path) -> None:
    async def scene(stage: Bench) -> None:
        psutil.Process(stage.server.pid).kill()
        await stage.ask("x")
        assert len(await stage.journal.events()) == 1
        assert stage.server.restarts == 1

    play(tmp_path, scene)


@pytest.mark.parametrize("down_s", [0, 4])
def test_a_server_killed_during_the_work_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, down_s: float
) -> None:
    monkeypatch.setattr(nats_server, "_BACKOFF_S", (0, down_s))
    calls: list[str] = []

    async def answer(event: Envelope[TaskQueued]) -> Sequence[Outgoing]:
        calls.append(event.id)
        await asyncio.sleep(0.5)
        return [Outgoing(Answered(text=event.data.text))]

    async def scene(stage: Bench) -> None:
        await stage.start(lambda s: s.on(TaskQueued, answer, publishes=(Answered,), parallel=2))
        for number in range(6):
            await stage.publish(TaskQueued(text=str(number)), str(number))

        async def at_work() -> bool | None:
            return len(calls) >= 2 or None

        await eventually(at_work)
        psutil.Process(stage.server.pid).kill()
        assert sorted(await stage.answers(6, within_s=25)) == [str(n) for n in range(6)]
        await stage.settled("JOBS", "echo--answer")
        assert sorted(calls) == [str(n) for n in range(6)], "nothing twice: the first copy answers for both"

    play(tmp_path, scene, ack_wait_s=2)


def test_what_was_acknowledged_is_there_after_a_kill(tmp_path: Path) -> None:
    async def scene(stage: Bench) -> None:
        for number in range(20):
            await stage.ask(str(number))
        psutil.Process(stage.server.pid).kill()
        await stage.ask("after")
        texts = [event.data.text for event in await stage.journal.events()]
        assert texts == [*map(str, range(20)), "after"]

    play(tmp_path, scene)


def test_following_goes_on_over_a_restart(tmp_path: Path) -> None:
    async def scene(stage: Bench) -> None:
        await stage.ask("before")
        seen: list[str] = []

        async def follow(after: int) -> None:
            async for event in stage.journal.follow([Asked.subject], after=after):
                seen.append(event.data.text)
                if len(seen) == 2:
                    return

        follower = asyncio.create_task(follow(await stage.journal.position()))
        await stage.ask("one")
        await stage.publish(Answered(text="another subject"), "a")
        psutil.Process(stage.server.pid).kill()
        await stage.ask("two")
        await asyncio.wait_for(follower, 10)
        assert seen == ["one", "two"]

    play(tmp_path, scene)


def test_a_wrong_password_and_a_missing_server_say_so(tmp_path: Path) -> None:
    async def scene(stage: Bench) -> None:
        wrong = stage.settings.with_bus(stage.settings.nats_url or "", "cbi", "wrong")
        with pytest.raises(InfrastructureError, match=r"cannot connect: .*[Aa]uthorization"):
            await Bus(wrong, "t").connect(timeout_s=3)
        absent = stage.settings.with_bus("nats://127.0.0.1:1", "cbi", "x")
        nobody = Bus(absent, "t")
        with pytest.raises(InfrastructureError, match=r"bus nats://127.0.0.1:1: cannot connect: .*Connect call failed"):
            await nobody.connect(timeout_s=1)
        await nobody.close()
        with pytest.raises(UsageError, match="set CBI_NATS_URL"):
            await Bus(Settings(), "t").connect()

    play(tmp_path, scene)


def test_a_dead_letter_is_kept_once_for_a_message_that_nobody_can_read(tmp_path: Path) -> None:
    async def scene(stage: Bench) -> None:
        letter = DeadLetter(
            subject="test.asked",
            consumer="a--x",
            reason="r",
            payload="{",
            is_base64=False,
            headers={},
            deliveries=1,
            stream="EVENTS",
            sequence=7,
            time=NOW,
            correlationid=None,
        )
        for consumer in ("a--x", "b--x"):
            await bury(stage.bus, letter.model_copy(update={"consumer": consumer}), once_for_all=True)
        assert len(await stage.journal.dead_letters()) == 1
        for consumer in ("a--x", "b--x"):
            await bury(stage.bus, letter.model_copy(update={"consumer": consumer}), once_for_all=False)
        assert len(await stage.journal.dead_letters()) == 3
        with pytest.raises(UsageError, match="none has number 99"):
            await stage.journal.dead_letter(99)

    play(tmp_path, scene)


@pytest.mark.parametrize("kind", ["real", "fake"])
def test_state_compares_before_it_sets(tmp_path: Path, kind: str) -> None:
    async def scene(stage: Bench) -> None:
        state = State(stage.bus) if kind == "real" else FakeState()
        assert await state.get("run.a") is None
        assert await state.keys("run.") == []
        assert await state.create("run.a", b"1")
        assert not await state.create("run.a", b"2")
        value, revision = await state.entry("run.a") or (b"", 0)
        assert value == b"1"
        assert not await state.compare_and_set("run.a", b"3", revision + 7)
        assert await state.compare_and_set("run.a", b"3", revision)
        assert not await state.compare_and_set("run.a", b"4", revision)
        await state.put("run.b", b"")
        assert await state.get("run.a") == b"3"
        assert await state.get("run.b") == b""
        assert await state.keys("run.") == ["run.a", "run.b"]
        assert await state.keys("walk.") == []
        with pytest.raises(InfrastructureError, match="is not a state key"):
            await state.put("a b", b"")

    play(tmp_path, scene)


async def _refuse(event: Envelope[Any]) -> Sequence[Outgoing]:
    raise ContractError("no")
