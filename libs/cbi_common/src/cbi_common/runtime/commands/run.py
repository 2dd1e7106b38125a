"""``cbi run``."""

from __future__ import annotations

from datetime import datetime

import click

from cbi_common.runtime.commands.options import examples, lake_option

_PROFILES = ("smoke", "quick", "standard", "full")


@click.command(
    epilog=examples(
        "cbi run                                            simulated market, about two minutes",
        "cbi run --warehouse 'simulated?seed=3'             another simulated market",
        "cbi run --warehouse tables --json out.json         real tables: tables/DATASET.TABLE.parquet",
        "cbi run --market wti --warehouse arch              crude oil, on real series that are already here",
        "cbi run --warehouse tables --as-of 2025-05-16      as if it were that day",
    )
)
@click.option(
    "--warehouse", metavar="simulated|arch|DIR|bigquery://PROJECT", help="Where the tables are [default: simulated]."
)
@click.option("--market", metavar="ID|FILE", help="Market to forecast, or a market file of your own [default: zl].")
@click.option("--profile", type=click.Choice(_PROFILES), default="quick", show_default=True, help="How much to train.")
@click.option(
    "--as-of", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="Last day to know of [default: the data's last]."
)
@click.option(
    "--refits",
    "refits_file",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="JSON list of refits off the grid to go on with, as `cbi replay --json` has them [default: the lake's own].",
)
@lake_option
@click.option(
    "--json", "json_file", metavar="FILE", help="Write the report as JSON; - prints it instead of the tables."
)
def run(
    warehouse: str | None,
    market: str | None,
    profile: str,
    as_of: datetime | None,
    refits_file: str | None,
    lake: str | None,
    json_file: str | None,
) -> int:
    """Make one complete pass, from tables to forecasts.

    The data is gated, models are trained and combined, the forecast is explained, validated and judged.

    Finished work is kept: the same command again does only what is new. Exit code 0 when every horizon has a forecast,
    3 when the data was rejected, 4 when a horizon has none, 5 when something broke.
    """
    from cbi_common.runtime.commands.one_pass import Request, make_pass
    from cbi_common.runtime.commands.outcome import conclude
    from cbi_common.runtime.commands.reading import until_done
    from cbi_common.runtime.commands.refits import read_refits
    from cbi_common.runtime.settings import Settings

    settings = Settings.load(warehouse=warehouse, market=market, lake=lake)
    request = Request(
        settings=settings,
        profile=profile,
        as_of=as_of.date() if as_of else None,
        refits=None if refits_file is None else read_refits(refits_file),
    )
    done, measured = until_done(make_pass(request))
    return conclude(done, measured, json_file)
