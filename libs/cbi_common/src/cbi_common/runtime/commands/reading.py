"""Reading the bus for a command: what has happened so far, and which run is meant."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from cbi_common.core.errors import IncompleteError
from cbi_common.reporting.projection import Run, Runs
from cbi_common.runtime.bus import Bus
from cbi_common.runtime.connection import connect
from cbi_common.runtime.journal import Journal
from cbi_common.runtime.settings import Settings

T = TypeVar("T")

_BEGIN = "`cbi run` makes a forecast"


def until_done(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine; SIGTERM ends it like Ctrl-C does, with everything it started.

    Raises
    ------
    KeyboardInterrupt
        When it was interrupted.
    """

    async def guarded() -> T:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await main

    try:
        return asyncio.run(guarded())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def on_the_bus(lake: str | None, work: Callable[[Bus, Settings], Awaitable[T]]) -> T:
    """Connect to the lake's bus and do ``work`` on it."""
    settings = Settings.load(lake=lake)

    async def connected() -> T:
        async with connect(settings) as bus:
            return await work(bus, settings)

    return until_done(connected())


def nothing_yet(lake: str | None) -> bool:
    """Return whether nothing has ever run on this lake, found without leaving a trace there."""
    settings = Settings.load(lake=lake)
    return settings.nats_url is None and not settings.stack_dir.exists()


def read_runs(lake: str | None) -> Runs:
    """Return all runs that the bus of this lake knows."""
    if nothing_yet(lake):
        return Runs()

    async def read(bus: Bus, _settings: Settings) -> Runs:
        return Runs(await Journal(bus).events())

    return on_the_bus(lake, read)


def choose_run(runs: Runs, run_id: str | None) -> Run:
    """Return the run that ``run_id`` begins, or the latest complete one.

    Raises
    ------
    UsageError
        When no run has that id.
    IncompleteError
        When no run is complete.
    """
    if run_id is not None:
        return runs.find(run_id)
    found = runs.latest_complete()
    if found is None:
        known = runs.all()
        what = f"no complete run, the newest is at {known[-1].stage}" if known else "nothing has run yet"
        hint = "`cbi status` says more" if known else _BEGIN
        raise IncompleteError(what, hint=hint)
    return found
