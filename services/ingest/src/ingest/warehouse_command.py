"""``cbi warehouse``: what is there, and what reading it costs."""

from __future__ import annotations

from datetime import datetime

import click

from cbi_common.runtime.commands.options import examples, json_option


@click.command(
    epilog=examples(
        "cbi warehouse --warehouse bigquery://my-project     what a pass would read there, and what that costs",
        "cbi warehouse --warehouse tables --json             the same of a folder, column by column",
    )
)
@click.option("--warehouse", "url", metavar="simulated|arch|DIR|bigquery://PROJECT", help="Where the tables are.")
@click.option("--market", metavar="ID|FILE", help="Market that they are read for, or a market file [default: zl].")
@click.option(
    "--as-of", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="Last day to know of [default: the data's last]."
)
@click.option(
    "--usd-per-tib", type=click.FloatRange(min=0), metavar="USD", help="What a TiB that is read costs [default: 6.25]."
)
@json_option
def warehouse(
    url: str | None, market: str | None, as_of: datetime | None, usd_per_tib: float | None, as_json: bool
) -> None:
    """List the tables with rows and bytes, and what a pass reads of them; nothing is read for it.

    Of BigQuery also the bytes that a pass is billed for, and their price: estimated from each table's rows, bytes and
    column types, and for a view by a dry run of its query.
    """
    from cbi_common.runtime import console
    from cbi_common.runtime.settings import Settings
    from cbi_common.storage.read_cost import USD_PER_TIB
    from ingest.adapters.inventory_table import inventory_table
    from ingest.inventory import inventory

    settings = Settings.load(warehouse=url, market=market)
    found = inventory(
        {
            "warehouse": settings.warehouse,
            "market": settings.market,
            "markets": settings.markets,
            "as_of": None if as_of is None else as_of.date().isoformat(),
            "usd_per_tib": USD_PER_TIB if usd_per_tib is None else usd_per_tib,
        }
    )
    if as_json:
        console.write_json(found)
        return
    console.simulated_banner(found["simulated"])
    console.show(inventory_table(found))
