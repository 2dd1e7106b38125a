"""``cbi forecast``."""

from __future__ import annotations

import click

from cbi_common.runtime.commands.options import View, examples, over_a_run


@click.command(epilog=examples("cbi forecast", "cbi forecast --run 3fa9 --json"))
@over_a_run
def forecast(view: View) -> None:
    """Show the forecasts, their bands and record."""
    from cbi_common.reporting.tables import forecast_table

    view.part("forecasts")
    view.show(forecast_table(view.report), "forecasts")
