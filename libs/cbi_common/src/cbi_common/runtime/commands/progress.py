"""Live progress of a run: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars

from cbi_common.events.base import Envelope
from cbi_common.events.monitoring import AlertRaised
from cbi_common.events.training import ModelFailed, ModelTrained
from cbi_common.reporting.projection import Run
from cbi_common.runtime import telemetry
from cbi_common.runtime.commands.gist import gist
from cbi_common.runtime.console import simulated_banner
from cbi_common.runtime.settings import Settings

_BESIDE = "runs that were interrupted earlier go on beside this one: {} (`cbi status`)"


class Progress(Protocol):
    """What a run reports to."""

    def started(self, seconds: float, services: int) -> None:
        """Take note that the stack is up."""

    def beside(self, unfinished: int) -> None:
        """Take note of runs that were interrupted earlier and go on now that the stack is up."""

    def update(self, run: Run, event: Envelope[Any]) -> None:
        """Take note of an event and of what the run has come to with it."""


@contextmanager
def progress(settings: Settings) -> Iterator[Progress]:
    """Show progress on stderr for as long as the block runs; log lines appear above the bars."""
    quiet = (
        settings if "log_level" in settings.model_fields_set else settings.model_copy(update={"log_level": "WARNING"})
    )
    if not sys.stderr.isatty():
        telemetry.configure(quiet)
        yield Lines()
        return
    console = Console(stderr=True)
    columns = (
        SpinnerColumn(finished_text="✓"), TextColumn("{task.description}"), BarColumn(24), MofNCompleteColumn(),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(), TextColumn("{task.fields[note]}"),
    )  # fmt: skip
    with Bars(*columns, console=console) as bars:
        telemetry.configure(quiet)  # after the bars have taken over stderr, so that a log line does not break them
        yield Live(bars, console)


class Silent:
    """Nothing: somebody else says how it goes."""

    def started(self, seconds: float, services: int) -> None:
        """Take note."""

    def beside(self, unfinished: int) -> None:
        """Take note."""

    def update(self, run: Run, event: Envelope[Any]) -> None:
        """Take note."""


class Lines:
    """One line per step, for a log file."""

    def __init__(self) -> None:
        self._marked = False

    def started(self, seconds: float, services: int) -> None:
        """Say that the stack is up."""
        click.echo(f"stack of {services} services is up after {seconds:.1f} s", err=True)

    def beside(self, unfinished: int) -> None:
        """Say that earlier work goes on."""
        if unfinished:
            click.echo(_BESIDE.format(unfinished), err=True)

    def update(self, run: Run, event: Envelope[Any]) -> None:
        """Say what the event tells."""
        if run.simulated and not self._marked:
            self._marked = True
            click.echo("SIMULATED DATA: no number describes the real market", err=True)
        count = (
            f" ({len(run.results)} of {len(run.planned)})" if isinstance(event.data, ModelTrained | ModelFailed) else ""
        )
        click.echo(f"{event.time:%H:%M:%S} {event.subject}: {gist(event)}{count}", err=True)


class Live:
    """Bars: data, models, forecast, conclusions."""

    def __init__(self, bars: Bars, console: Console) -> None:
        self._bars = bars
        self._console = console
        self._marked = False
        self._start = self._task("starting", 1)
        self._data = self._task("data", 1, start=False)
        self._models = self._task("models", None, start=False)
        self._forecast = self._task("regime and forecast", 2, start=False)
        self._conclusions = self._task("why, record, gates", 3, start=False)

    def started(self, seconds: float, services: int) -> None:
        """Finish the first bar."""
        self._bars.update(self._start, completed=1, note=f"{services} services in {seconds:.1f} s")
        self._bars.start_task(self._data)

    def beside(self, unfinished: int) -> None:
        """Say above the bars that earlier work goes on."""
        if unfinished:
            self._console.print(_BESIDE.format(unfinished), style="yellow", markup=False)

    def update(self, run: Run, event: Envelope[Any]) -> None:
        """Move the bars."""
        if run.simulated and not self._marked:
            self._marked = True
            simulated_banner(run.simulated, on=self._console)
        note = gist(event)
        if isinstance(event.data, ModelFailed | AlertRaised):
            self._console.print(f"{event.subject}: {note}", style="yellow", markup=False)
        export, concluded = (
            run.export is not None,
            (run.explanation, run.validations.get("walk_forward"), run.promotion),
        )
        if export:
            self._begin(self._models, self._forecast)
        self._set(
            self._data, int(export or run.rejected is not None), note if run.stage in ("ingest", "rejected") else ""
        )
        self._bars.update(self._models, total=len(run.planned) or None)
        self._set(self._models, len(run.results), note if run.stage == "training" else "")
        self._set(self._forecast, sum(x is not None for x in (run.regime, run.forecast)), "")
        if run.forecast is not None:
            self._begin(self._conclusions)
            self._set(self._conclusions, sum(x is not None for x in concluded), "")

    def _task(self, name: str, total: int | None, *, start: bool = True) -> TaskID:
        return self._bars.add_task(name, total=total, start=start, note="")

    def _begin(self, *tasks: TaskID) -> None:
        for task in self._bars.tasks:
            if task.id in tasks and not task.started:
                self._bars.start_task(task.id)

    def _set(self, task: TaskID, completed: int, note: str) -> None:
        self._bars.update(task, completed=completed, note=note)
