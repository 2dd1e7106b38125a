"""``cbi service``."""

from __future__ import annotations

import click

from cbi_common.runtime.commands.options import examples, lake_option


@click.command(epilog=examples("CBI_NATS_URL=nats://127.0.0.1:4222 cbi service trainer-metal"))
@click.argument("name")
@lake_option
def service(name: str, lake: str | None) -> None:
    """Run one service against a bus elsewhere.

    The bus is the one in CBI_NATS_URL: for containers, and for the Mac.
    """
    import asyncio

    from cbi_common.runtime import telemetry
    from cbi_common.runtime.settings import Settings
    from cbi_common.runtime.standalone import run_service

    settings = Settings.load(lake=lake)
    telemetry.configure(settings)
    asyncio.run(run_service(name, settings))
