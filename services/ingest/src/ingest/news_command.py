"""``cbi news``: which articles are read, and what they say."""

from __future__ import annotations

from datetime import datetime

import click

from cbi_common.runtime.commands.options import examples, json_option, lake_option


@click.command(
    epilog=examples(
        "cbi news --warehouse tables                              what is read and left out, and why",
        "CBI_FINBERT=models/finbert cbi news --warehouse tables   with the sentiment of the latest session",
    )
)
@click.option("--warehouse", metavar="simulated|arch|DIR|bigquery://PROJECT", help="Where the tables are.")
@click.option("--market", metavar="ID|FILE", help="Market whose news are read, or a market file [default: zl].")
@click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="Last session to know of [default: all articles].",
)
@lake_option
@json_option
def news(warehouse: str | None, market: str | None, as_of: datetime | None, lake: str | None, as_json: bool) -> None:
    """Show the articles of a market: read, cleaned away and why, the days they cover, the latest sentiment.

    Scores stay in the lake: the next run scores new articles only. Without a model (CBI_FINBERT) there is no sentiment.
    """
    from cbi_common.runtime import console
    from cbi_common.runtime.settings import Settings
    from ingest import jobs
    from ingest.adapters.news_report import news_tables

    settings = Settings.load(warehouse=warehouse, market=market, lake=lake)
    found = jobs.news(
        {
            "lake": settings.lake,
            "warehouse": settings.warehouse,
            "market": settings.market,
            "markets": settings.markets,
            "finbert": settings.finbert,
            "as_of": None if as_of is None else as_of.date().isoformat(),
        }
    )
    if as_json:
        console.write_json(found)
        return
    console.simulated_banner(found["simulated"])
    for table in news_tables(found):
        console.show(table)
