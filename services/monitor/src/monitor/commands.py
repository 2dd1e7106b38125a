"""``cbi validate``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cbi_common.runtime.commands.options import View, examples, over_a_run

if TYPE_CHECKING:
    from cbi_common.events.monitoring import ValidationCompleted
    from cbi_common.reporting.report import Report
    from cbi_common.reporting.tables import Table


@click.command(epilog=examples("cbi validate", "cbi validate --source issued --json"))
@click.option(
    "--source",
    type=click.Choice(["walk_forward", "issued"]),
    default="walk_forward",
    show_default=True,
    help="Forecasts as past cutoffs would have been served, or those that earlier runs published.",
)
@over_a_run
def validate(view: View, source: str) -> None:
    """Show matured forecasts against what happened.

    Overall, by regime, by era and by size of move.
    """
    event = view.need(view.run.validations.get(source), f"{source} validation")
    found: ValidationCompleted = event.data
    view.show(_slices(view.report, found), "validation", found.model_dump(mode="json"))


def _slices(report: Report, found: ValidationCompleted) -> Table:
    from cbi_common.reporting.report import in_order
    from cbi_common.reporting.tables import Table, columns, heading, number, percent

    lines = [
        (
            str(horizon), part.by, part.value, str(part.metrics.n), number(part.metrics.n_effective, 0),
            percent(part.metrics.mape), percent(part.metrics.no_change_mape), percent(part.metrics.skill, signed=True),
            percent(part.metrics.directional_accuracy, digits=0), percent(part.coverage_90, digits=0),
        )
        for horizon, parts in in_order(found.horizons).items()
        for part in parts
    ]  # fmt: skip
    return Table(
        title=f"Served forecasts against actuals ({found.source}) · {heading(report)}",
        columns=columns(
            "<horizon", "<by", "<value", "n", "n eff", "MAPE", "no-change", "skill", "direction", "coverage"
        ),
        rows=tuple(lines),
    )
