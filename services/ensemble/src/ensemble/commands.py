"""``cbi forecast``."""

from __future__ import annotations

import click

from cbi_common.runtime.commands.options import View, examples, over_a_run


@click.command(
    epilog=examples(
        "cbi forecast                    the forecasts, their bands and record",
        "cbi forecast --bands            coverage, worst year and Winkler score of the bands, beside GARCH's",
        "cbi forecast --combinations     the ways to combine the members that competed",
        "cbi forecast --volatility       the volatility behind the bands",
        "cbi forecast --run 3fa9 --json",
    )
)
@click.option("--bands", "shown", flag_value="bands", help="Show the record of the bands.")
@click.option("--combinations", "shown", flag_value="combinations", help="Show the combinations that competed.")
@click.option("--volatility", "shown", flag_value="volatility", help="Show the volatility behind the bands.")
@over_a_run
def forecast(view: View, shown: str | None) -> None:
    """Show the forecasts, their bands and record."""
    from cbi_common.reporting.ensemble_tables import band_table, combination_table, volatility_table
    from cbi_common.reporting.tables import forecast_table

    view.part("forecasts")
    tables = {None: forecast_table, "bands": band_table, "combinations": combination_table}
    if shown == "volatility":
        view.show(volatility_table(view.report), "volatility")
        return
    view.show(tables[shown](view.report), "forecasts" if shown is None else "ensemble")
