"""One pass through the stack: ask for it, wait until nothing is at work any more, gather what it has left."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cbi_common.core.errors import CbiError
from cbi_common.core.identity import canonical_json
from cbi_common.events.base import Envelope
from cbi_common.events.data import DataExported, DataRequested
from cbi_common.events.explanation import ExplanationReady
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.monitoring import AlertRaised, ValidationCompleted
from cbi_common.events.promotion import GatesJudged
from cbi_common.events.regime import RegimeDetected
from cbi_common.events.training import ModelFailed, ModelTrained, TrainingPlanned
from cbi_common.runtime.bus import Bus, unavailable
from cbi_common.runtime.deadletters import DeadLetter
from cbi_common.runtime.journal import Journal
from cbi_common.runtime.streams import DEAD, EVENTS, JOBS
from cbi_common.testing.chaos.verdict import Letter, Outcome

_POLL_S = 0.2
_LOOKS = 3
"""A message that a service has fetched and that the bus has not yet counted as such is seen by nobody."""

_PUT_OFF = "ensemble--issue_provisional"
_TIMES = ("status", "fit_seconds", "peak_mb", "cached_folds")
"""What of a trained model says how it was come by and not what it is."""

_COMPARED = (
    DataExported,
    RegimeDetected,
    ModelTrained,
    ForecastReady,
    ExplanationReady,
    ValidationCompleted,
    GatesJudged,
)


@dataclass(frozen=True)
class Marks:
    """Where the streams ended."""

    events: int
    dead: int


class Passes:
    """Passes over one bus."""

    def __init__(self, bus: Bus) -> None:
        self._bus, self._journal = bus, Journal(bus)

    async def marks(self) -> Marks:
        """Return where the streams end now."""
        return Marks(await self._journal.position(), await self._journal.position(stream=DEAD))

    async def ask(self, name: str) -> None:
        """Ask for a pass; its events are found by this name."""
        request = DataRequested(market="zl", profile="smoke")
        await self._bus.publish(Envelope.first(request, source="test", now=datetime.now(UTC), event_id=name))

    async def judged(self, name: str, patience_s: float) -> None:
        """Wait for the last event of a pass: from then on every service is up.

        Raises
        ------
        TimeoutError
            When patience ends.
        """
        async with asyncio.timeout(patience_s):
            async for event in self._journal.follow([GatesJudged.subject], after=0):
                if event.correlationid == name:
                    return

    async def held(self) -> dict[str, int]:
        """Return how many messages each consumer has before it, those that it has none left out.

        What waits for a deadline is nobody's to wait for.
        """
        found: dict[str, int] = {}
        for stream in (EVENTS, JOBS):
            with unavailable(stream):
                for consumer in await self._bus.jetstream.consumers_info(stream):
                    count = (consumer.num_pending or 0) + (
                        0 if consumer.name == _PUT_OFF else consumer.num_ack_pending or 0
                    )
                    if count:
                        found[consumer.name] = count
        return found

    async def quiet(self, patience_s: float) -> dict[str, int]:
        """Wait until no consumer holds anything; return what they hold when patience ends."""
        give_up = asyncio.get_running_loop().time() + patience_s
        looks, before, held = 0, -1, {"the bus does not answer": 1}
        while asyncio.get_running_loop().time() < give_up:
            await asyncio.sleep(_POLL_S)
            try:
                held, now = await self.held(), await self._journal.position()
            except CbiError:
                looks, held = 0, {"the bus does not answer": 1}
                continue
            looks = looks + 1 if not held and now == before else 0
            before = now
            if looks >= _LOOKS:
                return {}
        return held

    async def outcome(self, name: str, since: Marks, stuck: Mapping[str, int]) -> Outcome:
        """Return what a pass has left, and what the bus gave up since then."""
        events = await self._journal.events()
        letters = [letter for letter in await self._journal.dead_letters() if letter.number > since.dead]
        own = [event for event in events if event.correlationid == name]
        trained = {_member(e.data) for e in own if isinstance(e.data, ModelTrained | ModelFailed)}
        alerts = [event.data for event in own if isinstance(event.data, AlertRaised)]
        return Outcome(
            results=_results(own),
            untold=tuple(sorted(_planned(own) - trained)),
            failed=tuple(
                sorted({f"{_member(e.data)}: {e.data.error}" for e in own if isinstance(e.data, ModelFailed)})
            ),
            letters=tuple(map(_letter, letters)),
            stuck=stuck,
            alarms=tuple(sorted({alert.source for alert in alerts if alert.severity == "critical"})),
        )

    async def send_again(self, letters: Iterable[Letter]) -> None:
        """Do what the alert of a dead letter says: `cbi dead replay`."""
        for letter in letters:
            await self._journal.replay(letter.number)

    async def put_off(self) -> int:
        """Return how many exports still wait for the deadline of their provisional forecast."""
        with unavailable(_PUT_OFF):
            return (await self._bus.jetstream.consumer_info(EVENTS, _PUT_OFF)).num_ack_pending or 0

    async def told(self) -> list[str]:
        """Return every event, one line each, for people."""
        events = await self._journal.events()
        return [f"{e.time:%H:%M:%S.%f} {e.subject} {e.source} {e.id} {e.data.model_dump_json()[:300]}" for e in events]


def _letter(dead: DeadLetter) -> Letter:
    return Letter(dead.number, dead.subject, dead.consumer, dead.reason, (dead.stream, dead.sequence))


def _member(data: ModelTrained | ModelFailed) -> str:
    return f"{data.model_id}@{data.horizon}"


def _failure(data: ModelFailed) -> str:
    return f"{_member(data)}: {data.error}"


def _planned(events: Iterable[Envelope[Any]]) -> set[str]:
    return {
        f"{job.model_id}@{horizon}"
        for event in events
        if isinstance(event.data, TrainingPlanned)
        for job in event.data.jobs
        for horizon in job.horizons
    }


def _results(events: list[Envelope[Any]]) -> dict[str, str]:
    """Return what must be equal, by name; the same event with another content is a result of its own."""
    found: dict[str, str] = {}
    early: set[str] = set()
    for event in events:
        if event.causationid in early or (isinstance(event.data, ForecastReady) and event.data.provisional):
            early.add(event.id)
        elif isinstance(event.data, _COMPARED):
            name, said = _name(event.data), canonical_json(_essence(event.data)).decode()
            if found.setdefault(name, said) != said:
                found[f"{name}, said differently"] = said
    return found


def _name(data: Any) -> str:
    return f"{data.subject} {_member(data)}" if isinstance(data, ModelTrained) else str(data.subject)


def _essence(data: Any) -> Any:
    raw = json.loads(data.model_dump_json())
    return {name: value for name, value in raw.items() if name not in _TIMES} if isinstance(data, ModelTrained) else raw
