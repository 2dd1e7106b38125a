"""``cbi advise`` and ``cbi cover``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from cbi_common.runtime.commands.options import examples, horizon_choice, json_option, lake_option

_month = click.option("--month", required=True, metavar="YYYY-MM", help="Month in which it is used.")
_basis = click.option("--basis", type=float, metavar="PRICE", help="Paid on top of the futures.")
_day = click.option(
    "--on", "day", type=click.DateTime(["%Y-%m-%d"]), metavar="YYYY-MM-DD", help="Day of the deal [default: today]."
)


@click.command(
    epilog=examples(
        "cbi advise                                       what to buy now",
        "cbi advise --horizon 1m --cover 3                by the forecasts of a month, three months ahead at most",
        "cbi advise --accept --basis 0.5                  it was bought as advised, at the price of today",
        'cbi advise --bought 120000 --basis 0.5 --reason "tank is full"',
    )
)
@click.option("--horizon", type=horizon_choice, default="3m", show_default=True, help="Forecasts to buy by.")
@click.option("--cover", type=click.IntRange(1, 12), default=6, show_default=True, help="Months ahead at most.")
@click.option("--accept", is_flag=True, help="Record that it was bought as advised.")
@click.option(
    "--bought", type=click.FloatRange(min=0), metavar="LB", help="Record what was bought instead (0: nothing)."
)
@click.option("--reason", default="", help="Why the advice was not followed; --bought needs it.")
@click.option("--price", type=float, metavar="PRICE", help="Paid for the futures [default: the price of the forecast].")
@_basis
@lake_option
@json_option
def advise(
    horizon: str,
    cover: int,
    accept: bool,
    bought: float | None,
    reason: str,
    price: float | None,
    basis: float | None,
    lake: str | None,
    as_json: bool,
) -> None:
    """Say how much to buy now, for which months, and record what was done.

    The uncovered need times the cover that the policy asks for, in lots. A forecast decides only where forecasts of its
    length have been better than no-change; otherwise the cover of the ladder is kept.
    """
    from dashboard import cover_views

    if accept and bought is not None:
        raise click.UsageError("give --accept or --bought, not both.")
    if (accept or bought) and basis is None:
        raise click.UsageError("give --basis: what was paid on top of the futures (0 if nothing).")
    done = cover_views.Done(accept, bought, reason, price, basis or 0.0) if accept or bought is not None else None
    cover_views.advise(lake, horizon, cover, done, as_json=as_json)


@click.group(
    epilog=examples(
        "cbi cover need 600000",
        "cbi cover add --month 2025-07 --quantity 120000 --price 49.2 --basis 0.5",
        "cbi cover import purchases.csv                columns month, quantity, price, basis, bought",
        "cbi cover list",
        "cbi cover withdraw 3f2a",
    )
)
def cover() -> None:
    """Keep the log of what is needed, what was bought and how advice was answered."""


@cover.command("list")
@click.option("--carry", type=click.FloatRange(min=0), default=0.25, show_default=True, help="Cost of a month ahead.")
@lake_option
@json_option
def list_cover(carry: float, lake: str | None, as_json: bool) -> None:
    """Show the log and what it has saved."""
    from dashboard import cover_views

    cover_views.show(lake, carry, as_json=as_json)


@cover.command(epilog=examples("cbi cover need 600000", "cbi cover need 450000 --since 2025-09"))
@click.argument("quantity", type=click.FloatRange(min=0))
@click.option("--since", metavar="YYYY-MM", help="First month of which it is true [default: the running one].")
@lake_option
def need(quantity: float, since: str | None, lake: str | None) -> None:
    """Say that QUANTITY pounds a month are needed."""
    from dashboard import cover_views

    cover_views.need(lake, quantity, since)


@cover.command()
@_month
@click.option("--quantity", type=float, required=True, metavar="LB", help="Pounds.")
@click.option("--price", type=float, required=True, metavar="PRICE", help="Of the futures, in the market's unit.")
@click.option("--basis", type=float, required=True, metavar="PRICE", help="Paid on top of the futures.")
@_day
@lake_option
def add(month: str, quantity: float, price: float, basis: float, day: datetime | None, lake: str | None) -> None:
    """Enter a purchase."""
    from dashboard import cover_views

    fields = {"month": month, "quantity": quantity, "price": price, "basis": basis}
    cover_views.add(lake, [{**fields, "bought": day.date() if day else None}], "the purchase")


@cover.command("import", epilog=examples("cbi cover import purchases.csv"))
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@lake_option
def import_cover(file: Path, lake: str | None) -> None:
    """Enter the purchases of a CSV FILE with the columns month, quantity, price, basis and bought."""
    from dashboard import cover_views

    cover_views.add(lake, cover_views.read(file), str(file))


@cover.command()
@click.argument("record")
@click.option("--reason", default="", help="Why.")
@lake_option
def withdraw(record: str, reason: str, lake: str | None) -> None:
    """Take back the entry whose id begins with RECORD (a mistake); `cbi cover list` shows the ids."""
    from dashboard import cover_views

    cover_views.withdraw(lake, record, reason)
