"""``cbi explain``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cbi_common.runtime.commands.options import View, examples, horizon_choice, over_a_run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cbi_common.core.horizon import Horizon
    from cbi_common.events.explanation import HorizonExplanation
    from cbi_common.reporting.report import Report
    from cbi_common.reporting.tables import Table

_TOP_DRIVERS = 10


@click.command(
    epilog=examples(
        "cbi explain          all horizons, driver groups",
        "cbi explain 1m       one month, groups and the ten largest drivers",
    )
)
@click.argument("horizon", required=False, type=horizon_choice, metavar="HORIZON")
@over_a_run
def explain(view: View, horizon: str | None) -> None:
    """Say why the forecast differs from no-change.

    In the unit of the price, per driver group; for one HORIZON per driver too.
    """
    from cbi_common.core.horizon import Horizon
    from cbi_common.reporting.report import in_order

    event = view.need(view.run.explanation, "explanation")
    found = in_order(event.data.explanations)
    if horizon is None:
        view.show(_groups(view.report, found), "explanations")
        return
    one = view.need(found.get(Horizon(horizon)), f"explanation at {horizon}")
    for sentence in () if view.as_json else one.why:
        click.echo(sentence)
    view.show(_drivers(view.report, horizon, one), "explanations", {horizon: one.model_dump(mode="json")})


def _groups(report: Report, found: Mapping[Horizon, HorizonExplanation]) -> Table:
    from cbi_common.reporting.tables import UNKNOWN, Table, columns, heading, number

    size = {g: max(abs(e.groups.get(g, 0)) for e in found.values()) for e in found.values() for g in e.groups}
    names = sorted(size, key=lambda group: (-size[group], group))
    return Table(
        title=f"Why, in {report.unit or UNKNOWN} · {heading(report)}",
        columns=columns("<group", *map(str, found)),
        rows=(
            ("no-change", *(number(e.baseline) for e in found.values())),
            *((name, *(number(e.groups.get(name), signed=True) for e in found.values())) for name in names),
            ("residual", *(number(e.residual, signed=True) for e in found.values())),
            ("forecast", *(number(e.forecast) for e in found.values())),
        ),
    )


def _drivers(report: Report, horizon: str, found: HorizonExplanation) -> Table:
    from cbi_common.reporting.tables import UNKNOWN, Table, columns, heading, number

    groups = sorted(found.groups.items(), key=lambda item: -abs(item[1]))
    drivers = list(found.drivers.items())[:_TOP_DRIVERS]
    return Table(
        title=f"Why {horizon} is {number(found.forecast)} {report.unit or UNKNOWN} · {heading(report)}",
        columns=columns("<", "<", report.unit or UNKNOWN),
        rows=(
            ("start", "no-change", number(found.baseline)),
            *(("group", name, number(value, signed=True)) for name, value in groups),
            ("", "residual", number(found.residual, signed=True)),
            ("sum", "forecast", number(found.forecast)),
            *(("driver", name, number(value, signed=True)) for name, value in drivers),
        ),
        note=f"drivers are parts of the groups; the {len(drivers)} largest of {len(found.drivers)} are listed"
        if drivers
        else "",
    )
