"""What becomes of a message, on a real nats-server: done, tried again, given up, handed back."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import nats.errors
import psutil
import pytest

from cbi_common.core.clock import system_clock
from cbi_common.core.errors import ContractError, JobError, NotYet, TransientError
from cbi_common.events.base import Envelope
from cbi_common.events.monitoring import AlertRaised
from cbi_common.runtime import delivery
from cbi_common.runtime.service import Outgoing, Service
from cbi_common.runtime.undelivered import Undelivered
from cbi_common.testing.bench import Answered, Asked, Bench, TaskQueued, bench, eventually

Event = Envelope[Any]


def play(folder: Path, scene: Callable[[Bench], Awaitable[None]], **settings: Any) -> None:
    async def go() -> None:
        async with bench(folder, **settings) as stage:
            await scene(stage)

    asyncio.run(go())


class Script:
    """A handler that fails as told and then answers."""

    def __init__(self, *failures: Exception, lasts_s: float = 0) -> None:
        self.calls: list[str] = []
        self.at_work = 0
        self.most_at_work = 0
        self._failures = list(failures)
        self._lasts_s = lasts_s

    async def answer(self, event: Event) -> Sequence[Outgoing]:
        """Answer."""
        self.calls.append(event.id)
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        try:
            await asyncio.sleep(self._lasts_s)
            if self._failures:
                raise self._failures.pop(0)
        finally:
            self.at_work -= 1
        return [Outgoing(Answered(text=event.data.text))]

    def configure(self, service: Service) -> None:
        service.on(Asked, self.answer, publishes=(Answered,))


def test_an_answer_carries_the_run_and_its_cause(tmp_path: Path) -> None:
    async def scene(stage: Bench) -> None:
        await stage.start(Script().configure)
        asked = await stage.ask("x")
        (answer,) = await stage.events(Answered, 1)
        assert (answer.source, answer.correlationid, answer.causationid) == ("echo", asked.correlationid, asked.id)
        await stage.settled("EVENTS", "echo--answer")

    play(tmp_path, scene)


def test_what_was_published_before_the_first_start_is_handled_unless_only_new_is_wanted(tmp_path: Path) -> None:
    async def scene(stage: Bench) -> None:
        await stage.ask("old")
        all_of_it, new_only = Script(), Script()
        await stage.start(all_of_it.configure)
        await stage.start(lambda s: s.on(Asked, new_only.answer, publishes=(Answered,), new_only=True), name="mail")
        await stage.ask("new")
        for name in ("echo", "mail"):
            await stage.settled("EVENTS", f"{name}--answer")
        assert (all_of_it.calls, new_only.calls) == (["ask-old", "ask-new"], ["ask-new"])

    play(tmp_path, scene)


def test_a_transient_error_is_tried_again(tmp_path: Path) -> None:
    async def scene(stage: Bench) -> None:
        script = Script(*(TransientError("not now") for _ in range(5)))
        await stage.start(script.configure)
        await stage.ask("x")
        assert await stage.answers(1) == ["x"]
        assert len(script.calls) == 6

    play(tmp_path, scene)


def test_a_transient_error_that_lasts_is_given_up_with_an_alert(tmp_path: Path) -> None:
    async def scene(stage: Bench) -> None:
        await stage.start(Script(*(TransientError("never") for _ in range(1000))).configure)
        await stage.ask("x")
        (dead,) = await stage.dead(1)
        assert dead.reason.startswith("never (for ")
        await stage.events(AlertRaised, 1)

    play(tmp_path, scene)


def test_what_is_not_due_comes_again_when_it_is_and_holds_up_nothing(tmp_path: Path) -> None:
    async def scene(stage: Bench) -> None:
        script = Script(*(NotYet("not due", delay_s=0.2) for _ in range(8)))  # more often than an error is tried
        await stage.start(script.configure)
        await stage.ask("x")
        assert await stage.answers(1) == ["x"]
        assert len(script.calls) == 9
        assert await stage.dead(0) == []

    play(tmp_path, scene)


def test_a_broken_contract_is_given_up_at_once(tmp_path: Path) -> None:
    async def scene(stage: Bench) -> None:
        script = Script(ContractError("makes no sense", where="here", hint="do better"))
        await stage.start(script.configure)
        asked = await stage.ask("x")
        (dead,) = await stage.dead(1)
        assert dead.reason == "here: makes no sense; do better"
        assert (dead.subject, dead.consumer, dead.correlationid) == ("test.asked", "echo--answer", asked.id)
        assert json.loads(dead.original() or b"")["data"]["text"] == "x"
        assert len(script.calls) == 1
        await stage.settled("EVENTS", "echo--answer")

    play(tmp_path, scene)


@pytest.mark.parametrize("error", [JobError("it broke", where="job"), ZeroDivisionError("by zero")])
def test_any_other_error_is_tried_three_times_then_given_up_with_an_alert(tmp_path: Path, error: Exception) -> None:
    async def scene(stage: Bench) -> None:
        script = Script(*[error] * 9)
        await stage.start(script.configure)
        asked = await stage.ask("x")
        (alert,) = await stage.events(AlertRaised, 1)
        assert (alert.data.severity, alert.data.source) == ("critical", "echo--answer")
        assert alert.correlationid == asked.correlationid
        (dead,) = await stage.dead(1)
        assert "(failed 3 times)" in dead.reason
        assert dead.deliveries == 3
        assert len(script.calls) == 3
        await stage.settled("EVENTS", "echo--answer")

    play(tmp_path, scene)


@pytest.mark.parametrize("payload", [b"{not json", b"[1, 2]", b'{"txt": "x"}', b"\xff\xfe\x00"])
def test_what_cannot_be_read_is_one_dead_letter_however_many_listen(tmp_path: Path, payload: bytes) -> None:
    async def scene(stage: Bench) -> None:
        for name in ("echo", "parrot"):
            await stage.start(Script().configure, name=name)
        await stage.bus.client.publish("test.asked", payload)
        await stage.ask("fine")
        for name in ("echo", "parrot"):
            await stage.settled("EVENTS", f"{name}--answer")
        (dead,) = await stage.dead(1)
        assert dead.original() == payload
        assert dead.reason.startswith("test.asked: ")

    play(tmp_path, scene)


def test_a_bare_object_is_wrapped_alike_for_all(tmp_path: Path) -> None:
    async def scene(stage: Bench) -> None:
        scripts = [Script(), Script()]
        for number, script in enumerate(scripts):
            await stage.start(script.configure, name=f"echo{number}")
        await stage.bus.client.publish("test.asked", b'{"text": "by hand"}')
        await stage.answers(1)
        await stage.settled("EVENTS", "echo1--answer")
        assert scripts[0].calls == scripts[1].calls

    play(tmp_path, scene)


def test_an_event_that_is_not_declared_is_refused(tmp_path: Path) -> None:
    async def scene(stage: Bench) -> None:
        await stage.start(lambda service: service.on(Asked, Script().answer))
        await stage.ask("x")
        (dead,) = await stage.dead(1)
        assert "returned test.answered, which it does not declare" in dead.reason

    play(tmp_path, scene)


def test_a_long_handler_gives_signs_of_life_and_runs_once(tmp_path: Path) -> None:
    async def scene(stage: Bench) -> None:
        script = Script(lasts_s=2)
        await stage.start(script.configure)
        await stage.ask("x")
        assert await stage.answers(1) == ["x"]
        await stage.settled("EVENTS", "echo--answer")
        assert len(script.calls) == 1

    play(tmp_path, scene, ack_wait_s=0.6)


@pytest.mark.parametrize(("parallel", "most"), [(1, 1), (3, 3)])
def test_as_many_messages_as_declared_are_in_work(tmp_path: Path, parallel: int, most: int) -> None:
    async def scene(stage: Bench) -> None:
        script = Script(lasts_s=0.2)
        await stage.start(lambda s: s.on(TaskQueued, script.answer, publishes=(Answered,), parallel=parallel))
        for number in range(9):
            await stage.publish(TaskQueued(text=str(number)), str(number))
        await stage.answers(9)
        assert script.most_at_work == most
        assert len(script.calls) == 9

    play(tmp_path, scene, ack_wait_s=0.6)


def test_an_event_published_twice_is_kept_once(tmp_path: Path) -> None:
    async def scene(stage: Bench) -> None:
        first = await stage.ask("x")
        assert await stage.bus.publish(first) == await stage.bus.publish(first)
        assert len(await stage.journal.events()) == 1

    play(tmp_path, scene)


def test_a_killed_process_leaves_its_message_to_the_next(tmp_path: Path) -> None:
    pids = tmp_path / "pids"

    async def scene(stage: Bench) -> None:
        slow = stage.spawn("sleep")
        await stage.ask(json.dumps({"seconds": 60, "pid_file": str(pids)}))
        await eventually(lambda: _written(pids))
        slow.kill()
        slow.wait()
        begun = time.monotonic()
        await stage.start(Script().configure)
        await stage.answers(1)
        assert time.monotonic() - begun < 6, "it comes back when the bus has waited for a sign of life"
        await eventually(lambda: _gone(pids))

    play(tmp_path, scene)


def test_a_terminated_process_hands_its_message_back_at_once_and_leaves_no_child(tmp_path: Path) -> None:
    pids = tmp_path / "pids"

    async def scene(stage: Bench) -> None:
        slow = stage.spawn("sleep")
        await stage.ask(json.dumps({"seconds": 60, "pid_file": str(pids)}))
        await eventually(lambda: _written(pids))
        slow.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        assert await asyncio.to_thread(slow.wait, 10) == 0
        assert await _gone(pids), "children are killed before the process ends"
        await stage.start(Script().configure)
        await stage.answers(1)
        assert time.monotonic() - begun < 10, "not after ack_wait"

    play(tmp_path, scene, ack_wait_s=60)


def test_a_job_whose_child_is_killed_is_run_again(tmp_path: Path) -> None:
    pids = tmp_path / "pids"

    async def scene(stage: Bench) -> None:
        process = stage.spawn("sleep")
        try:
            await stage.ask(json.dumps({"seconds": 2, "pid_file": str(pids)}))
            await eventually(lambda: _written(pids))
            child = int(pids.read_text().split()[0])
            psutil.Process(child).kill()
            assert await stage.answers(1) == ["{}"]
            assert int(pids.read_text().split()[0]) != child
        finally:
            process.terminate()
            await asyncio.to_thread(process.wait, 10)

    play(tmp_path, scene)


def test_stopping_hands_back_at_once(tmp_path: Path) -> None:
    async def scene(stage: Bench) -> None:
        slow = Script(lasts_s=30)
        service = await stage.start(slow.configure)
        await stage.ask("x")
        await eventually(lambda: _truth(slow.calls))
        begun = time.monotonic()
        await service.stop()
        stage.services.remove(service)
        await stage.start(Script().configure)
        assert await stage.answers(1) == ["x"]
        assert time.monotonic() - begun < 3

    play(tmp_path, scene, ack_wait_s=60)


def test_a_handler_that_cancels_itself_does_not_end_the_subscription(tmp_path: Path) -> None:
    async def scene(stage: Bench) -> None:
        times = 0

        async def answer(event: Event) -> Sequence[Outgoing]:
            nonlocal times
            times += 1
            if times == 1:
                raise asyncio.CancelledError
            return [Outgoing(Answered(text=event.data.text))]

        service = await stage.start(lambda s: s.on(Asked, answer, publishes=(Answered,)))
        await stage.ask("x")
        assert await stage.answers(1) == ["x"]
        assert service.ready

    play(tmp_path, scene)


def test_a_dead_letter_can_be_sent_again(tmp_path: Path) -> None:
    async def scene(stage: Bench) -> None:
        await stage.start(Script(ContractError("not yet")).configure)
        await stage.ask("x")
        (dead,) = await stage.dead(1)
        assert (await stage.journal.replay(dead.number)).subject == "test.asked"
        assert await stage.answers(1) == ["x"]
        assert await stage.journal.dead_letters() == []

    play(tmp_path, scene)


def test_a_message_that_kills_its_process_every_time_ends_among_the_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "_MAX_DELIVER", 2)

    async def scene(stage: Bench) -> None:
        watch = Undelivered(stage.bus, system_clock)
        await watch.start()
        service = await stage.start(Script().configure)
        await service.stop()
        stage.services.clear()
        consumer = await stage.bus.jetstream.pull_subscribe_bind(consumer="echo--answer", stream="EVENTS")
        await stage.ask("poison")
        for _ in range(2):
            await consumer.fetch(1, timeout=5)  # and the process dies
        with pytest.raises(nats.errors.TimeoutError):
            await consumer.fetch(1, timeout=1)
        (alert,) = await stage.events(AlertRaised, 1)
        assert "delivered 2 times" in alert.data.what
        (dead,) = await stage.dead(1)
        assert (dead.subject, dead.consumer, dead.deliveries) == ("test.asked", "echo--answer", 2)
        assert json.loads(dead.original() or b"")["data"]["text"] == "poison"
        await watch.stop()

    play(tmp_path, scene, ack_wait_s=0.5)


async def _truth(value: object) -> bool | None:
    return bool(value) or None


async def _written(file: Path) -> bool | None:
    return await asyncio.to_thread(lambda: file.exists() and bool(file.read_text())) or None


async def _gone(file: Path) -> bool | None:
    pids = (await asyncio.to_thread(file.read_text)).split()
    return not any(_alive(int(pid)) for pid in pids) or None


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
