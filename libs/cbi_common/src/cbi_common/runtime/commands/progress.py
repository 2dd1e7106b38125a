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
from cbi_common.events.data import DataExported
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.monitoring import AlertRaised
from cbi_common.events.regime import RegimeDetected
from cbi_common.events.training import ModelFailed, ModelTrained, TrainingPlanned
from cbi_common.reporting.projection import Run
from cbi_common.runtime import telemetry
from cbi_common.runtime.console import simulated_banner
from cbi_common.runtime.settings import Settings


class Progress(Protocol):
    """What a run reports to."""

    def started(self, seconds: float, services: int) -> None:
        """Take note that the stack is up."""

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
        SpinnerColumn(finished_text="✓"), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(), TextColumn("{task.fields[note]}"),
    )  # fmt: skip
    with Bars(*columns, console=console) as bars:
        telemetry.configure(quiet)  # after the bars have taken over stderr, so that a log line does not break them
        yield Live(bars, console)


class Lines:
    """One line per step, for a log file."""

    def __init__(self) -> None:
        self._marked = False

    def started(self, seconds: float, services: int) -> None:
        """Say that the stack is up."""
        click.echo(f"stack of {services} services is up after {seconds:.1f} s", err=True)

    def update(self, run: Run, event: Envelope[Any]) -> None:
        """Say what the event tells."""
        if run.simulated and not self._marked:
            self._marked = True
            click.echo("SIMULATED DATA: no number describes the real market", err=True)
        click.echo(f"{event.time:%H:%M:%S} {event.subject}: {told(run, event)}", err=True)


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

    def update(self, run: Run, event: Envelope[Any]) -> None:
        """Move the bars."""
        if run.simulated and not self._marked:
            self._marked = True
            simulated_banner(run.simulated, on=self._console)
        note = told(run, event)
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


def told(run: Run, event: Envelope[Any]) -> str:
    """Return the gist of an event in a few words."""
    data = event.data
    if isinstance(data, DataExported) and data.complete:
        sizes = ", ".join(f"{name} {d.rows:,} × {d.columns}" for name, d in data.datasets.items())
        return f"as of {data.as_of}, {sizes}"
    if isinstance(data, TrainingPlanned):
        return f"{sum(len(job.horizons) for job in data.jobs)} models in {len(data.jobs)} jobs on {data.device}"
    if isinstance(data, ModelTrained):
        how = "from the cache" if data.status == "cached" else f"{data.fit_seconds:.1f} CPU s"
        return f"{data.model_id} {data.horizon}, {how} ({len(run.results)} of {len(run.planned)})"
    if isinstance(data, ModelFailed):
        return f"{data.model_id} {data.horizon} failed: {data.error}"
    if isinstance(data, RegimeDetected):
        return str(data.state)
    if isinstance(data, ForecastReady):
        return ", ".join(f"{h} {f.point:.2f} {f.signal}" for h, f in data.forecasts.items()) or "no horizon"
    if isinstance(data, AlertRaised):
        return f"{data.severity}: {data.source}: {data.what}"
    return f"from {event.source}"
