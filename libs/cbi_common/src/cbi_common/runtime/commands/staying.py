"""The embedded stack, kept up until the process is told to stop."""

from __future__ import annotations

import asyncio

import click

from cbi_common.core.clock import system_clock
from cbi_common.runtime import telemetry
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
    async with Stack(settings) as stack:
        click.echo(f"{len(stack.services)} services are up after {stack.started_s:.1f} s on the lake {settings.lake}")
        click.echo(f"page: {stack.page_url}")
        click.echo(f"bus:  {stack.settings.nats_url} (`cbi publish` finds it by the lake)")
        click.echo(f"      user and password for other clients: {settings.stack_dir / 'stack.json'}")
        for schedule in stack.schedules:
            click.echo(f"next: {schedule.name}, {schedule.asks.subject}, {_when(schedule)}")
        if settings.smtp_host is None:
            click.echo("mail: none is sent, CBI_SMTP_HOST is not set")
        click.echo("Ctrl-C stops everything")
        await asyncio.Event().wait()


def _when(schedule: Schedule) -> str:
    due = schedule.next_due(system_clock())
    return "never" if due is None else f"{due:%A %-d %B, %H:%M} Chicago"
