import asyncio
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cbi_common.core.errors import InfrastructureError, TransientError, UsageError
from cbi_common.events.base import Envelope
from cbi_common.events.monitoring import AlertRaised
from cbi_common.reporting.projection import Run, Runs
from cbi_common.runtime.commands import one_pass
from cbi_common.runtime.commands.one_pass import Request, watch, with_late
from cbi_common.runtime.deadletters import DeadLetter
from cbi_common.runtime.settings import Settings
from cbi_common.runtime.streams import DEAD
from cbi_common.testing.story import START, Story


class FakeJournal:
    """Tells a story and then falls silent; dead letters come with the second look."""

    def __init__(self, events: list[Envelope[Any]], letters: list[DeadLetter] | None = None) -> None:
        self.events, self.letters, self.looks = events, letters or [], 0

    async def follow(self, *, after: int) -> AsyncIterator[Envelope[Any]]:
        for event in self.events[after:]:
            yield event
        await asyncio.Event().wait()

    async def position(self, *, stream: str) -> int:
        assert stream == DEAD
        self.looks += 1
        if self.looks == 1:
            raise TransientError("the bus is away")
        return max((letter.number for letter in self.letters), default=0)

    async def dead_letters(self) -> list[DeadLetter]:
        return self.letters


class Shown:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.types: list[str] = []

    def started(self, seconds: float, services: int) -> None:
        raise AssertionError("the stack is started by someone else")

    def beside(self, unfinished: int) -> None:
        raise AssertionError("nobody looks for other runs while one is watched")

    def update(self, run: Run, event: Envelope[Any]) -> None:
        assert run.correlation_id == event.correlationid
        self.types.append(event.type)


def outcome(journal: FakeJournal, buried: int = 0) -> tuple[Run, Shown]:
    shown = Shown()

    async def main() -> Run:
        return await asyncio.wait_for(watch(journal, "req-1", 0, buried, shown, Path()), 10)  # type: ignore[arg-type]

    return asyncio.run(main()), shown


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_pass, "_DEAD_LETTERS_EVERY_S", 0.01)


def letter(correlation: str, number: int = 4) -> DeadLetter:
    return DeadLetter(
        subject="model.trained", consumer="ensemble--fan_in", reason="a broken contract", payload="{}", is_base64=False,
        headers={}, deliveries=1, stream="EVENTS", sequence=9, time=START, correlationid=correlation, number=number,
    )  # fmt: skip


def test_a_pass_ends_with_the_last_of_its_events_and_other_runs_do_not_disturb() -> None:
    mine, other = Story().whole(), Story("other").whole()
    run, shown = outcome(FakeJournal([e for pair in zip(mine, other, strict=True) for e in pair]))
    assert run.complete
    assert shown.types == [event.type for event in mine]


def test_a_rejection_ends_the_pass() -> None:
    run, _ = outcome(FakeJournal(Story().rejection()))
    assert run.rejected is not None


def test_a_critical_alert_of_this_run_ends_it_with_the_reason() -> None:
    story = Story()
    with pytest.raises(InfrastructureError, match="ensemble--fan_in: gave up after 5 attempts"):
        outcome(FakeJournal([story.request, story.alert()]))


def test_an_alert_of_another_run_does_not() -> None:
    run, _ = outcome(FakeJournal([Story("other").alert(), *Story().whole()]))
    assert run.complete


def test_a_dead_letter_of_this_run_ends_it_even_after_the_bus_was_away() -> None:
    with pytest.raises(InfrastructureError, match=r"a broken contract.*cbi dead show 4"):
        outcome(FakeJournal(Story().whole()[:3], [letter("req-1")]))


@pytest.mark.parametrize(("found", "buried"), [(letter("other"), 0), (letter("req-1"), 4)])
def test_an_old_letter_or_another_runs_does_not(found: DeadLetter, buried: int) -> None:
    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(_silent(FakeJournal(Story().whole()[:3], [found]), buried), 0.3))


async def _silent(journal: FakeJournal, buried: int) -> Run:
    return await watch(journal, "req-1", 0, buried, Shown(), Path())  # type: ignore[arg-type]


def test_the_request_carries_what_was_asked() -> None:
    event = Request(Settings(), "smoke", date(2025, 5, 16)).event()
    assert (event.data.market, event.data.profile, event.data.as_of) == ("zl", "smoke", date(2025, 5, 16))
    assert event.correlationid == event.id


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"warehouse": "none"}, "no such folder"),
        ({"warehouse": "."}, "no tables"),
        ({"warehouse": "simulated?colour=red"}, "no parameter 'colour'"),
        ({"market": "gold"}, "no market 'gold'"),
    ],
)
def test_a_mistake_is_found_before_anything_starts(wrong: dict[str, str], what: str, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=what):
        Request(Settings(**wrong), "smoke", None).event()


def test_runs_that_go_on_are_counted_and_finished_ones_are_not() -> None:
    story = Story("alarmed")
    runs = Runs([*Story().whole(), *Story("open").whole()[:5], *Story("bad").rejection(), story.request, story.alert()])
    assert [run.correlation_id for run in runs.all() if run.open] == ["open"]


def test_a_disk_that_stays_full_ends_the_run_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    free = iter([0, 10**9, 0, 0, 0])  # one lucky moment starts the count anew
    monkeypatch.setattr(one_pass, "_DISK_EVERY_S", 0.001)
    monkeypatch.setattr(one_pass, "_FULL_FOR_S", 0.003)
    monkeypatch.setattr(one_pass.shutil, "disk_usage", lambda _: SimpleNamespace(free=next(free)))
    with pytest.raises(InfrastructureError, match="the disk is full; free space"):
        asyncio.run(one_pass._full_disk(Path("somewhere")))
    assert next(free, None) is None


def test_an_alert_after_the_last_result_belongs_to_the_run_and_is_shown() -> None:
    story, shown = Story(), Shown()
    whole = story.whole()
    away = AlertRaised(market="zl", severity="warning", source="trainer-cpu--track", what="models were not tracked")
    late = story.tell(away)
    of_another = late.model_copy(update={"id": "another", "correlationid": "req-2"})

    async def alerts(subjects: list[str]) -> list[Envelope[Any]]:
        assert subjects == [AlertRaised.subject]
        return [late, of_another]

    (run,) = Runs(whole).all()
    journal: Any = SimpleNamespace(events=alerts)
    again: Any = shown
    found = asyncio.run(with_late(journal, run, again, AlertRaised))
    assert [event.id for event in found.of(AlertRaised)] == [late.id]
    assert len(found.events) == len(run.events) + 1
    assert shown.types == [late.type]
    assert asyncio.run(with_late(journal, found, again, AlertRaised)).events == found.events
    assert shown.types == [late.type]
