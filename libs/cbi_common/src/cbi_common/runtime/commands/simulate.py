"""``cbi simulate``."""

from __future__ import annotations

import click

from cbi_common.runtime.commands.options import examples


@click.command(
    epilog=examples(
        "cbi simulate --to market                                   25 years, then: cbi run --warehouse market",
        "cbi simulate --to market --sessions 31500 --truth truth.parquet",
        "cbi simulate --to market --predictability 0.2 --drift-at 2020-03-02",
        "cbi simulate --to market --flaws weekend_row,stale:3       then: cbi quality --warehouse market",
        "cbi simulate --to market --faults frozen_feed:2020-03-02  then: cbi replay --warehouse market …",
        "cbi simulate --list-flaws",
    )
)
@click.option("--to", "folder", metavar="DIR", help="Folder to write the tables to.")
@click.option("--truth", metavar="FILE", help="Write what is true of the market to this Parquet file, outside DIR.")
@click.option("--sessions", type=int, default=6300, show_default=True, help="Trading days, 300 to 31500 (125 years).")
@click.option("--seed", type=int, default=7, show_default=True, help="Another seed, another market.")
@click.option("--predictability", type=float, default=0.02, show_default=True, help="What the past tells, 0 to 0.2.")
@click.option("--drift-at", metavar="DATE", help="Soybean oil and palm heed each other no longer from this day on.")
@click.option("--flaws", metavar="LIST", default="", help="Flaws to put in, each with :1 (slight) to :3 (gross).")
@click.option("--faults", metavar="LIST", default="", help="Faults, each from a day on: NAME:DATE,NAME:DATE.")
@click.option("--force", is_flag=True, help="Write into a folder that holds something else.")
@click.option("--list-flaws", is_flag=True, help="List the flaws there are, and where they are put.")
@click.option("--list-faults", is_flag=True, help="List the faults there are, and what each one does.")
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def simulate(
    folder: str | None, truth: str | None, *, list_flaws: bool, list_faults: bool, as_json: bool, **asked: object
) -> None:
    """Write a simulated market as a warehouse folder.

    Equal options give equal files. Everything made from the folder is marked as simulated. The truth (regimes, the
    best possible forecasts) is written only when asked for, and where no service can read it.
    """
    from cbi_common.runtime.commands import simulating

    if list_flaws:
        simulating.show_flaws(as_json=as_json)
    elif list_faults:
        simulating.show_faults(as_json=as_json)
    elif folder is None:
        raise click.UsageError("Missing option '--to'.")
    else:
        simulating.write(folder, truth, asked, as_json=as_json)
