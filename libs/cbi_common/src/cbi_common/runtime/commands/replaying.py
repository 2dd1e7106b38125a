"""A replay: the embedded stack lives through history, step by step, by a clock that is set to each day's evening."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from typing import Any, Protocol

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars

from cbi_common.core.clock import SimulatedClock
from cbi_common.core.errors import InfrastructureError, UsageError
from cbi_common.core.identity import derived_id, digest
from cbi_common.events.base import Envelope
from cbi_common.events.data import DataRequested
from cbi_common.events.manifest import GRID, Profile, Refit, RunManifest
from cbi_common.events.monitoring import AlertRaised, DriftDetected, ValidationCompleted
from cbi_common.markets.files import load_market
from cbi_common.reporting.projection import Run, Runs
from cbi_common.reporting.replayed import Replayed, Step, step_line, step_of
from cbi_common.runtime import telemetry
from cbi_common.runtime.commands.one_pass import watch, with_late
from cbi_common.runtime.commands.progress import Silent
from cbi_common.runtime.embedded import Stack
from cbi_common.runtime.journal import Journal
from cbi_common.runtime.settings import Settings
from cbi_common.runtime.streams import DEAD
from cbi_common.storage.lake import Lake
from cbi_common.storage.results import open_results
from cbi_common.storage.warehouse import open_warehouse
from cbi_common.timeseries.calendar import sessions_between

_EVENING = time_of_day(23, tzinfo=UTC)
"""After the close of the exchange, before the next day begins anywhere that matters."""

_EVERY = re.compile(r"([1-9][0-9]{0,2})([dwm])")
_SESSIONS = {"d": 1, "w": 5, "m": 21}

_MOST_RETRAINS = 5
"""In one step; more would be a storm that the monitor should have held back."""


def sessions_in(every: str) -> int:
    """Return a step in trading sessions.

    Raises
    ------
    UsageError
        When it is not a number of days, weeks or months.

    >>> sessions_in("2w"), sessions_in("1m")
    (10, 21)
    """
    found = _EVERY.fullmatch(every)
    if found is None:
        raise UsageError(f"{every!r} is no step", where="--every", hint="write 1d, 1w, 2w, 1m …")
    return int(found[1]) * _SESSIONS[found[2]]


@dataclass(frozen=True)
class ReplayRequest:
    """What ``cbi replay`` was asked for."""

    settings: Settings
    profile: Profile
    start: date
    end: date
    every: str
    sessions: int
    """What ``every`` is in trading sessions."""

    @property
    def days(self) -> list[date]:
        """Sessions to stop at.

        Raises
        ------
        UsageError
            When there is none.
        """
        found = sessions_between(self.start, self.end)[:: self.sessions]
        if not len(found):
            raise UsageError("no trading day", where=f"{self.start} to {self.end}", hint="give --from before --to")
        return [day.item() for day in found]

    def identity(self) -> str:
        """Return what tells this replay from another; a later end is the same replay, gone on with."""
        market = load_market(self.settings.market, self.settings.markets)
        warehouse = open_warehouse(self.settings.warehouse)
        content = {name: warehouse.fingerprint(name) for name in market.tables if name in warehouse.tables()}
        return digest(market.sha256, warehouse.label, content, self.profile, self.start.isoformat(), self.sessions)[:12]

    def event(self, identity: str, day: date, now: datetime) -> Envelope[Any]:
        """Return the event that starts the pass of one day."""
        data = DataRequested.model_validate(
            {
                "market": self.settings.market,
                "as_of": day,
                "profile": self.profile,
                "reason": _reason(identity),
                "scope": "used",
            }
        )
        event_id = derived_id(identity, data.subject, day.isoformat())
        return Envelope.first(data, source="replay", now=now, event_id=event_id)


async def replay(request: ReplayRequest) -> Replayed:
    """Live through history.

    What an earlier start of the same replay has done is not done again.

    Raises
    ------
    UsageError
        When the lake has passes of another kind: their track record is not to be mixed with one made in hindsight.
    InfrastructureError
        When something broke that no retry mends.
    """
    started, days, identity = time.monotonic(), request.days, request.identity()
    open_results(request.settings.results_url).prepare()
    clock = SimulatedClock(datetime.combine(days[0], _EVENING))
    steps: list[Step] = []
    with _progress(len(days)) as said:
        settings = request.settings.model_copy(update={"schedules": False, "smtp_host": None})
        async with Stack(settings, clock=clock) as stack:
            history = _History(stack)
            await history.open(identity)
            for day in days:
                clock.advance(datetime.combine(day, _EVENING))
                steps.append(await history.step(request.event(identity, day, clock()), day))
                said(steps[-1], history.unit)
                _heed_the_order_to_stop()
    last = history.last
    return Replayed(
        market=request.settings.market,
        warehouse=request.settings.warehouse,
        simulated=last.simulated,
        profile=request.profile,
        unit=history.unit,
        every=request.every,
        steps=tuple(steps),
        validations={name: found.data for name, found in last.validations.items()},
        wall_s=time.monotonic() - started,
    )


class _History:
    """The passes of a replay on a running stack."""

    def __init__(self, stack: Stack) -> None:
        self._stack, self._journal, self._lake = stack, Journal(stack.bus), Lake(stack.settings.lake)
        self._earlier = Runs()
        self._passes: list[Run] = []

    async def open(self, identity: str) -> None:
        """Read what an earlier start has done, and refuse a lake that something else has worked on."""
        self._earlier = Runs(await self._journal.events())
        for event in self._earlier.of(DataRequested):
            if event.causationid is None and event.data.reason != _reason(identity):
                raise UsageError(
                    "it has passes that are not of this replay",
                    where=f"lake {self._stack.settings.lake}",
                    hint="name an empty one with --lake: hindsight must not mix with a track record",
                )

    @property
    def last(self) -> Run:
        """The newest pass."""
        return self._passes[-1]

    @property
    def unit(self) -> str | None:
        """Unit of the prices, once a pass has told it."""
        return next((run.export.data.unit for run in reversed(self._passes) if run.export), None)

    async def step(self, event: Envelope[Any], day: date) -> Step:
        """Make the pass of a day, and those that it leads to."""
        started, after = time.monotonic(), await self._journal.position()
        earlier = self._earlier.get(event.id)
        done = earlier is not None and not earlier.open
        if not done:
            await self._stack.bus.publish(event)
        run = await self._whole(event.id, after)
        self._passes.append(run)
        retrains = await self._retrains(run, after)
        return step_of(day, run, retrains, self._refits(run), None if done else time.monotonic() - started)

    async def _retrains(self, run: Run, after: int) -> list[Run]:
        """Follow every pass that the run's drifts asked for, and what those asked for, to its end."""
        found: list[Run] = []
        causes = {event.id for event in run.of(DriftDetected)}
        while request := await self._next_request(causes, {again.correlation_id for again in found}):
            if len(found) == _MOST_RETRAINS:
                raise InfrastructureError(
                    "retrain upon retrain", where=f"run {run.run_id}", hint="report this as a bug"
                )
            again = await self._whole(request.id, after)
            self._passes.append(again)
            found.append(again)
            causes |= {event.id for event in again.of(DriftDetected)}
        return found

    async def _next_request(self, causes: set[str], known: set[str]) -> Envelope[DataRequested] | None:
        requests = await self._journal.events([DataRequested.subject])
        return next((r for r in requests if r.causationid in causes and r.correlationid not in known), None)

    async def _whole(self, correlation_id: str, after: int) -> Run:
        """Return a pass with all that it led to."""
        earlier = self._earlier.get(correlation_id)
        if earlier is not None and not earlier.open:
            return earlier
        begin = after if earlier is None else 0
        buried = await self._journal.position(stream=DEAD)
        run = await watch(self._journal, correlation_id, begin, buried, Silent(), self._stack.settings.stack_dir)
        await self._stack.idle()
        return await with_late(self._journal, run, Silent(), AlertRaised, DriftDetected, ValidationCompleted)

    def _refits(self, run: Run) -> tuple[Refit, ...]:
        if run.export is None or run.export.data.manifest is None:
            return ()
        manifest = RunManifest.model_validate(self._lake.get_json(run.export.data.manifest))
        return tuple(refit for refit in manifest.refits if refit.cause != GRID)


def _heed_the_order_to_stop() -> None:
    """Stop if that was asked for while something else was awaited: Python 3.11's ``wait_for`` may keep it to itself."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


class _Said(Protocol):
    def __call__(self, step: Step, unit: str | None) -> None:
        """Show a step."""


@contextmanager
def _progress(total: int) -> Iterator[_Said]:
    """Show a line per step on stderr, and on a terminal how far it is."""
    telemetry.configure(Settings.load(log_level="WARNING"))
    if not sys.stderr.isatty():
        count = iter(range(1, total + 1))
        yield lambda step, unit: click.echo(f"{next(count):>4}/{total}  {step_line(step, unit)}", err=True)
        return
    console = Console(stderr=True)
    look = (SpinnerColumn(), BarColumn(24), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("left"))
    with Bars(*look, TimeRemainingColumn(), console=console) as bars:
        task = bars.add_task("replay", total=total)

        def said(step: Step, unit: str | None) -> None:
            console.print(step_line(step, unit), markup=False, highlight=False)
            bars.advance(task)

        yield said


def _reason(identity: str) -> str:
    return f"replay {identity}"
