"""``cbi quality``: what the gate says of the tables."""

from __future__ import annotations

import click

from cbi_common.runtime.commands.options import examples


@click.command(
    epilog=examples(
        "cbi quality --warehouse tables                       every table: its verdict, and how often each check fired",
        "cbi quality --warehouse tables --check mislabelled   where a name is not what it says",
        "cbi quality --warehouse tables prices.palm           one table: every finding, its first rows, what was done",
    )
)
@click.argument("table", required=False)
@click.option("--warehouse", help="simulated, arch, a folder, or bigquery://PROJECT")
@click.option("--market", help="Market whose tables are checked: an id, or a file of your own.")
@click.option("--as-of", help="Look at nothing after this day (YYYY-MM-DD).")
@click.option("--check", help="Show the findings of one check only, such as unit_break.")
@click.option("--verdict", type=click.Choice(["rejected", "repaired", "ok", "unused"]), help="Show such tables only.")
@click.option("--json", "as_json", is_flag=True, help="Write the verdicts as JSON.")
def quality(
    table: str | None,
    warehouse: str | None,
    market: str | None,
    as_of: str | None,
    check: str | None,
    verdict: str | None,
    as_json: bool,
) -> None:
    """Judge the tables of a warehouse, or one TABLE with everything that was found.

    Exits with 3 when the data cannot carry a forecast.
    """
    import json

    from cbi_common.core.errors import DataError, UsageError
    from cbi_common.runtime.settings import Settings
    from ingest import jobs
    from ingest.adapters.report import ROWS_SHOWN, chosen, write_report

    settings = Settings.load(warehouse=warehouse, market=market)
    argument = {
        "warehouse": settings.warehouse,
        "market": settings.market,
        "markets": settings.markets,
        "finbert": settings.finbert,
        "as_of": _day(as_of),
    }
    found = jobs.quality(argument)
    if table is not None and table not in found["tables"]:
        raise UsageError(
            f"no table {table!r}", where=f"warehouse {found['warehouse']}", hint="leave it out to list all"
        )
    tables = chosen(found["tables"], table=table, word=verdict, check=check)
    if as_json:
        click.echo(json.dumps(found | {"tables": tables}, indent=2, ensure_ascii=False))
    else:
        shown = 0 if table is None else ROWS_SHOWN
        write_report(found, tables, detailed=table is not None or check is not None, rows=shown)
        for name, reason in found["absent"].items():
            click.echo(f"without {name}: {reason}")
    if found["refused"] is not None:
        raise DataError(found["refused"], hint="nothing trains on this data")


def _day(text: str | None) -> str | None:
    from datetime import date

    from cbi_common.core.errors import UsageError

    if text is None:
        return None
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise UsageError(f"{text!r} is no date", where="--as-of", hint="write YYYY-MM-DD") from None
