"""``cbi regime``."""

from __future__ import annotations

import click

from cbi_common.runtime.commands.options import View, examples, over_a_run


@click.command(epilog=examples("cbi regime", "cbi regime --json"))
@over_a_run
def regime(view: View) -> None:
    """Show the market's regime and its detection."""
    from cbi_common.reporting.report import RegimeReport
    from cbi_common.reporting.tables import Table, columns, heading, number, percent

    found: RegimeReport = view.part("regime")
    accuracy = [
        (
            f"accuracy {ahead} sessions ahead",
            percent(value),
            f"persistence {percent(found.persistence_accuracy.get(ahead))}",
        )
        for ahead, value in found.forward_accuracy.items()
    ]
    table = Table(
        title=f"Regime: {found.state} · {heading(view.report)}",
        columns=columns("<", "", "<"),
        rows=(
            *((f"P({state})", percent(p), "") for state, p in found.probabilities.items()),
            ("accuracy today", percent(found.nowcast_accuracy), "against labels that are rules of the same inputs"),
            ("balanced accuracy today", percent(found.balanced_accuracy), ""),
            *accuracy,
            ("switches a year", number(found.switches_per_year, 1), ""),
            ("sessions until a change is seen", number(found.detection_lag, 1), "after the rules have seen it"),
            ("Brier score", number(found.brier, 3), "0 is perfect, 2 the worst"),
            ("calibration error", percent(found.calibration_error), "how sure it was against how often it was right"),
        ),
    )
    view.show(table, "regime")
