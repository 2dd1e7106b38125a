"""``cbi status``."""

from __future__ import annotations

import click

from cbi_common.runtime.commands.options import examples, json_option, lake_option


@click.command(epilog=examples("cbi status", "cbi status --runs 30 --json"))
@click.option("--runs", "limit", type=click.IntRange(1), default=10, show_default=True, help="How many runs to list.")
@lake_option
@json_option
def status(limit: int, lake: str | None, as_json: bool) -> None:
    """Show runs, queues and dead letters."""
    from cbi_common.runtime import console
    from cbi_common.runtime.commands import overview
    from cbi_common.runtime.commands.reading import nothing_yet, on_the_bus

    if nothing_yet(lake):
        found = overview.Overview(runs=(), queues=(), dead_letters=0)
    else:
        found = on_the_bus(lake, overview.look)
    if as_json:
        console.write_json(found.as_json(limit))
        return
    for table in found.tables(limit):
        console.show(table)
