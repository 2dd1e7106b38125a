"""One pass over the embedded stack: ask for data, watch the events, stop when everything has been said."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4

import psutil

from cbi_common.core.clock import system_clock
from cbi_common.core.errors import InfrastructureError, TransientError
from cbi_common.events.base import Envelope, EventData
from cbi_common.events.data import DataRequested
from cbi_common.events.decision import BacktestCompleted
from cbi_common.events.manifest import Refit
from cbi_common.events.monitoring import AlertRaised
from cbi_common.markets.files import load_market
from cbi_common.reporting.projection import Run, Runs
from cbi_common.reporting.report import Measured
from cbi_common.runtime.cancellation import end
from cbi_common.runtime.commands.progress import Progress, progress
from cbi_common.runtime.embedded import Stack
from cbi_common.runtime.journal import Journal
from cbi_common.runtime.settings import Settings
from cbi_common.runtime.streams import DEAD
from cbi_common.storage.results import open_results
from cbi_common.storage.warehouse import open_warehouse

_DEAD_LETTERS_EVERY_S = 1.0
_DISK_EVERY_S = 1.0
_SETTLE_PATIENCE_S = 60.0
_FULL_FOR_S = 5.0
_FULL_BYTES = 256 * 1024


@dataclass(frozen=True)
class Request:
    """What ``cbi run`` was asked for."""

    settings: Settings
    profile: str
    as_of: date | None
    refits: tuple[Refit, ...] | None = None
    """Refits off the grid to go on with; None: those that the lake's latest export has."""

    def event(self) -> Envelope[Any]:
        """Return the event that starts the pass.

        Raises
        ------
        UsageError
            When there is no such market or warehouse; found here, before anything is started.
        InfrastructureError
            When results could not be kept where the settings say.
        """
        load_market(self.settings.market, self.settings.markets)
        open_warehouse(self.settings.warehouse)
        open_results(self.settings.results_url).prepare()
        data = DataRequested.model_validate(
            {
                "market": self.settings.market,
                "as_of": self.as_of,
                "profile": self.profile,
                "refits": self.refits,
                "reason": "cbi run",
            }
        )
        return Envelope.first(data, source="cli", now=system_clock(), event_id=str(uuid4()))


async def make_pass(request: Request) -> tuple[Run, Measured]:
    """Start the stack, make the pass, stop the stack.

    Returns
    -------
    Run
        The events of the pass, complete or rejected.
    Measured
        Time and memory of the process so far.

    Raises
    ------
    InfrastructureError
        When something broke that no retry mends.
    """
    event = request.event()
    stack = Stack(request.settings.model_copy(update={"retraining": False, "schedules": False, "smtp_host": None}))
    with progress(request.settings) as shown:
        async with stack:
            shown.started(stack.started_s, len(stack.services))
            journal = Journal(stack.bus)
            shown.beside(sum(run.open for run in Runs(await journal.events()).all()))
            after, buried = await journal.position(), await journal.position(stream=DEAD)
            await stack.bus.publish(event)
            run = await watch(journal, event.id, after, buried, shown, request.settings.stack_dir)
            await stack.settle(event.id, _SETTLE_PATIENCE_S)
            run = await with_late(journal, run, shown, AlertRaised, BacktestCompleted)
    return run, Measured(
        wall_s=time.time() - psutil.Process().create_time(),  # imports and the stack's start included
        cores=request.settings.worker_slots,
        peak_rss_mb=stack.peak_mb,
    )


async def watch(
    journal: Journal, correlation_id: str, after: int, buried: int, shown: Progress, stack_dir: Path
) -> Run:
    """Follow the events of one run to its end.

    Parameters
    ----------
    journal : Journal
        Where to read.
    correlation_id : str
        Id of its request.
    after : int
        Sequence after which its events begin.
    buried : int
        Number of the newest dead letter that is none of its concern.
    shown : Progress
        Hears of every event.
    stack_dir : Path
        Where the bus keeps its store.

    Raises
    ------
    InfrastructureError
        When the run raises a critical alert, one of its messages is given up, or the bus can store nothing more.
    """
    return await _first(
        _follow(journal, correlation_id, after, shown),
        _dead_letter(journal, correlation_id, buried),
        _full_disk(stack_dir),
    )


async def with_late(journal: Journal, run: Run, shown: Progress, *kinds: type[EventData]) -> Run:
    """Return the run with what it said after its last result: MLflow is told and buying tried in the end."""
    known = {event.id for event in run.events}
    said = [event for event in await journal.events([kind.subject for kind in kinds]) if event.id not in known]
    late = [event for event in said if event.correlationid == run.correlation_id]
    runs = Runs(run.events)
    for event in late:
        runs.apply(event)
        shown.update(run, event)
    return runs.get(run.correlation_id) or run


async def _first(result: Coroutine[Any, Any, Run], *failures: Coroutine[Any, Any, NoReturn]) -> Run:
    """Return the result, or raise what a watchman found."""
    tasks = [asyncio.create_task(one) for one in (result, *failures)]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(iter(done)).result()
    finally:
        await end(tasks)


async def _follow(journal: Journal, correlation_id: str, after: int, shown: Progress) -> Run:
    runs = Runs()
    async for event in journal.follow(after=after):
        if event.correlationid != correlation_id:
            continue
        runs.apply(event)
        run = runs.get(correlation_id)
        assert run is not None
        shown.update(run, event)
        if run.critical is not None:
            raise InfrastructureError(run.critical.what, where=run.critical.source, hint=run.critical.hint)
        if run.complete or run.rejected is not None:
            return run
    raise AssertionError("following a stream has no end")


async def _dead_letter(journal: Journal, correlation_id: str, buried: int) -> NoReturn:
    """Raise when a message of this run is given up without an alert: a broken contract, or a handler that kills."""
    while True:
        await asyncio.sleep(_DEAD_LETTERS_EVERY_S)
        try:
            newest = await journal.position(stream=DEAD)
            letters = await journal.dead_letters() if newest > buried else []
        except TransientError:  # the bus is away; the services wait for it too
            continue
        for letter in letters:
            if letter.number > buried and letter.correlationid == correlation_id:
                raise InfrastructureError(
                    f"{letter.subject} was given up: {letter.reason}",
                    where=letter.consumer,
                    hint=f"`cbi dead show {letter.number}` has the message",
                )
        buried = newest


async def _full_disk(stack_dir: Path) -> NoReturn:
    """Raise when the bus's disk stays full: the services can then neither go on nor say so, for want of a bus."""
    full_for_s = 0.0
    while full_for_s < _FULL_FOR_S:
        await asyncio.sleep(_DISK_EVERY_S)
        full = shutil.disk_usage(stack_dir).free < _FULL_BYTES
        full_for_s = full_for_s + _DISK_EVERY_S if full else 0.0
    raise InfrastructureError(
        "the disk is full",
        where=str(stack_dir),
        hint="free space or use --lake DIR, then run again: finished work is kept",
    )
