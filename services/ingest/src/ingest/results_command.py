"""``cbi results``: what has been recorded."""

from __future__ import annotations

from datetime import datetime

import click

from cbi_common.runtime.commands.options import examples, lake_option

_KINDS = ("forecasts", "explanations", "validations", "alerts", "promotions")


@click.command(
    epilog=examples(
        "cbi results                                     how much there is of each kind",
        "cbi results forecasts --since 2025-05-01        forecasts of as_of days from then on, the newest first",
        "cbi results promotions --json                   every column",
    )
)
@click.argument("kind", required=False, type=click.Choice(_KINDS))
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="Leave out results of earlier days.")
@click.option("--results", "url", metavar="DIR|bigquery://PROJECT", help="Where they are kept [default: by the lake].")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Rows to show; --json has all.")
@lake_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON: fractions, prices in the market's unit.")
def results(
    kind: str | None, since: datetime | None, url: str | None, limit: int, lake: str | None, as_json: bool
) -> None:
    """Show the recorded forecasts, explanations, validations, alerts and promotions."""
    from cbi_common.runtime import console
    from cbi_common.runtime.settings import Settings
    from cbi_common.storage.results import open_results
    from ingest.adapters import results_tables

    store = open_results(Settings.load(results=url, lake=lake).results_url)
    day = None if since is None else since.date()
    found = results_tables.read(store, [kind] if kind else _KINDS, day)
    if as_json:
        console.write_json(results_tables.as_json(found))
        return
    console.simulated_banner(results_tables.simulated(found))
    console.show(results_tables.rows(found, kind, limit) if kind else results_tables.overview(found, store.label))
