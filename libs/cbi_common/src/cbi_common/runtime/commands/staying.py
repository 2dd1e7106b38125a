"""The embedded stack, kept up until the process is told to stop."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from importlib.metadata import entry_points
from pathlib import Path

import click

from cbi_common.core.clock import system_clock
from cbi_common.runtime import telemetry, tether
from cbi_common.runtime.embedded import Stack
from cbi_common.runtime.schedules import Schedule
from cbi_common.runtime.settings import Settings

_PORT = 8050


async def stay(settings: Settings) -> None:
    """Start the stack, say where it is, and wait to be cancelled."""
    if settings.dashboard_port is None:
        settings = settings.model_copy(update={"dashboard_port": _PORT})
    if "schedules" not in settings.model_fields_set:
        settings = settings.model_copy(update={"schedules": True})
    telemetry.configure(settings)
    serves = settings.serving_url is None and bool(entry_points(group="cbi.commands", name="serve"))
    if serves:
        settings = settings.model_copy(update={"serving_url": f"http://127.0.0.1:{_free_port()}"})
    async with Stack(settings) as stack, _serving(settings) if serves else nullcontext():
        click.echo(f"{len(stack.services)} services are up after {stack.started_s:.1f} s on the lake {settings.lake}")
        click.echo(f"page: {stack.page_url}")
        click.echo(f"bus:  {stack.settings.nats_url} (`cbi publish` finds it by the lake)")
        click.echo(f"      user and password for other clients: {settings.stack_dir / 'stack.json'}")
        if settings.ops_port:
            click.echo(f"metrics: http://{settings.ops_host}:{settings.ops_port}/metrics (docs/operations.md)")
        for schedule in stack.schedules:
            click.echo(f"next: {schedule.name}, {schedule.asks.subject}, {_when(schedule)}")
        if settings.smtp_host is None:
            click.echo("mail: none is sent, CBI_SMTP_HOST is not set")
        click.echo("Ctrl-C stops everything")
        await asyncio.Event().wait()


@asynccontextmanager
async def _serving(settings: Settings) -> AsyncIterator[None]:
    """Keep a process that answers questions of what-if: it loads models, which has no business among the services."""
    assert settings.serving_url is not None
    port = settings.serving_url.rpartition(":")[2]
    cbi = str(Path(sys.executable).with_name("cbi"))
    command = tether.command([cbi, "serve", "--newest", "--port", port, "--lake", settings.lake])
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, stdin=quiet, stdout=quiet, stderr=quiet)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _when(schedule: Schedule) -> str:
    due = schedule.next_due(system_clock())
    return "never" if due is None else f"{due:%A %-d %B, %H:%M} Chicago"
