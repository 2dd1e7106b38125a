"""``cbi up``."""

from __future__ import annotations

import click

from cbi_common.runtime.commands.options import examples, lake_option


@click.command(
    epilog=examples(
        "cbi up --warehouse tables",
        "cbi publish data.requested market=zl      (in another terminal: forecast now)",
    )
)
@click.option(
    "--warehouse", metavar="simulated|arch|DIR|bigquery://PROJECT", help="Where the tables are [default: simulated]."
)
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the page [default: 8050]; 0 takes a free one.")
@lake_option
def up(warehouse: str | None, port: int | None, lake: str | None) -> None:
    """Keep bus, services and the page running.

    Everything listens on 127.0.0.1 and stops with Ctrl-C.
    """
    from cbi_common.runtime.commands.reading import until_done
    from cbi_common.runtime.commands.staying import stay
    from cbi_common.runtime.settings import Settings

    settings = Settings.load(warehouse=warehouse, lake=lake, dashboard_port=port)
    try:
        until_done(stay(settings))
    except KeyboardInterrupt:
        click.echo("stopped; unfinished work goes on at the next start")
