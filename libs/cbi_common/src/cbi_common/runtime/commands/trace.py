"""``cbi trace``."""

from __future__ import annotations

import click

from cbi_common.runtime.commands.options import examples, json_option, lake_option


@click.command(epilog=examples("cbi trace 3fa9c1", "cbi trace 3fa9c1 --json"))
@click.argument("id_or_prefix", metavar="ID")
@lake_option
@json_option
def trace(id_or_prefix: str, lake: str | None, as_json: bool) -> None:
    """Show which event led to which.

    ID is that of a run or an event, or how it begins. Of a run every event is shown, of an event its causes and its
    effects, each with the lake objects it names.
    """
    from cbi_common.runtime import console
    from cbi_common.runtime.commands.lineage import Lineage
    from cbi_common.runtime.commands.reading import read_runs

    found = Lineage.of(read_runs(lake), id_or_prefix)
    if as_json:
        console.write_json(found.as_json())
    else:
        console.simulated_banner(found.run.simulated)
        console.console().print(found.tree(), soft_wrap=True)
