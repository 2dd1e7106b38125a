"""``cbi explain``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cbi_common.runtime.commands.options import View, examples, horizon_choice, over_a_run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cbi_common.core.horizon import Horizon
    from cbi_common.events.explanation import HorizonExplanation
    from cbi_common.reporting.report import Report
    from cbi_common.reporting.tables import Table

_TOP_DRIVERS = 10


@click.command(
    epilog=examples(
        "cbi explain                   all horizons, driver groups",
        "cbi explain 1m                one month: in words, by group, the ten largest drivers",
        "cbi explain 1m --signs        whether each driver pushes as the market file says",
        "cbi explain 1m --over-runs    how much each group moved the forecasts, run by run",
        "cbi explain --pictures why    a waterfall and a force plot of every horizon, in the folder why",
    )
)
@click.argument("horizon", required=False, type=horizon_choice, metavar="HORIZON")
@click.option("--signs", is_flag=True, help="How each driver pushed the forecasts of past cutoffs (needs a HORIZON).")
@click.option("--over-runs", is_flag=True, help="How important each group was, run by run (needs a HORIZON).")
@click.option(
    "--pictures", type=click.Path(file_okay=False), metavar="DIR", help="Draw waterfall and force plots into a folder."
)
@over_a_run
def explain(view: View, horizon: str | None, signs: bool, over_runs: bool, pictures: str | None) -> None:
    """Say why the forecast differs from no-change.

    In the unit of the price, per driver group; for one HORIZON in words, per driver, and with what the drivers explain
    of past forecasts.
    """
    from cbi_common.core.errors import UsageError
    from cbi_common.core.horizon import Horizon
    from cbi_common.reporting.report import in_order

    event = view.need(view.run.explanation, "explanation")
    found = in_order(event.data.explanations)
    if pictures is not None:
        wanted = {h: e for h, e in found.items() if horizon in (None, str(h))}
        view.need(wanted or None, f"explanation at {horizon}")
        _draw(view.report, wanted, pictures)
        return
    if horizon is None:
        if signs or over_runs:
            option = "--signs" if signs else "--over-runs"
            raise UsageError("no horizon", where=option, hint=f"name one: cbi explain 1m {option}")
        view.show(_groups(view.report, found), "explanations")
        return
    one = view.need(found.get(Horizon(horizon)), f"explanation at {horizon}")
    if over_runs:
        view.show(*_importances(view, Horizon(horizon)))
        return
    if signs:
        view.show(_signs(view.report, horizon, one), "explanations", {horizon: one.model_dump(mode="json")})
        return
    for sentence in () if view.as_json else one.why:
        click.echo(sentence)
    view.show(_drivers(view.report, horizon, one), "explanations", {horizon: one.model_dump(mode="json")})


def _draw(report: Report, found: Mapping[Horizon, HorizonExplanation], folder: str) -> None:
    from pathlib import Path

    from cbi_common.reporting.tables import UNKNOWN, heading, number
    from explain.adapters.shap_plots import save_pictures

    unit = report.unit or UNKNOWN
    for horizon, one in found.items():
        title = f"Why {horizon} is {number(one.forecast)} {unit}\n{heading(report)}"
        for file in save_pictures(one, Path(folder), name=str(horizon), title=title, unit=unit):
            click.echo(file)


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
    from cbi_common.reporting.tables import UNKNOWN, Table, columns, heading, number, percent

    groups = sorted(found.groups.items(), key=lambda item: -abs(item[1]))
    drivers = list(found.drivers.items())[:_TOP_DRIVERS]
    move = found.forecast - found.baseline

    def share(value: float) -> tuple[str, str]:
        return number(value, signed=True), percent(value / move if move else None, digits=0)

    return Table(
        title=f"Why {horizon} is {number(found.forecast)} {report.unit or UNKNOWN} · {heading(report)}",
        columns=columns("<", "<", report.unit or UNKNOWN, "of the move"),
        rows=(
            ("start", "no-change", number(found.baseline), ""),
            *(("group", name, *share(value)) for name, value in groups),
            ("", "residual", *share(found.residual)),
            ("sum", "forecast", number(found.forecast), ""),
            *(("driver", name, *share(value)) for name, value in drivers),
        ),
        note="\n".join(_notes(found, len(drivers))),
    )


def _notes(found: HorizonExplanation, listed: int) -> Iterator[str]:
    from cbi_common.reporting.tables import percent

    if listed:
        yield f"drivers are parts of the groups; the {listed} largest of {len(found.drivers)} are listed"
    if found.driver_coverage is not None:
        share = percent(found.driver_coverage, digits=0)
        yield f"named drivers account for {share} of the variance of {found.n_past} past forecasts (SHAP coverage)"
    if found.importance:
        first = ", ".join(f"{name} {percent(share, digits=0)}" for name, share in list(found.importance.items())[:3])
        yield f"what moved those most: {first}"
    if found.shift is not None:
        lately = ", ".join(f"{name} {percent(share, digits=0)}" for name, share in list(found.shift.recent.items())[:3])
        verdict = "which is NOT what it was before" if found.shift.drifted else "as restless as it ever was"
        yield f"since {found.shift.since}: {lately} (rank correlation {found.shift.correlation:+.2f}, {verdict})"


def _importances(view: View, horizon: Horizon) -> tuple[Table, str, object]:
    from cbi_common.reporting.tables import Table, columns, percent
    from cbi_common.runtime.commands.reading import read_runs

    events = [run.explanation for run in read_runs(view.lake).all() if run.explanation]
    explained = [
        (event.data, event.data.explanations[horizon])
        for event in sorted(events, key=lambda event: (event.data.as_of, event.time))
        if event.data.market == view.report.market and horizon in event.data.explanations
    ]
    largest = {
        name: max(one.importance.get(name, 0) for _, one in explained) for _, o in explained for name in o.importance
    }
    names = sorted(largest, key=lambda name: (-largest[name], name))
    table = Table(
        title=f"What moved the forecasts of {horizon}, run by run",
        columns=columns("<as of", "<run", *names),
        rows=tuple(
            (said.as_of.isoformat(), said.run_id[:8], *(percent(one.importance.get(name), digits=0) for name in names))
            for said, one in explained
        ),
        note="each group's share of all that moved the forecasts of that run's past cutoffs",
    )
    found = [
        {
            "run_id": said.run_id,
            "as_of": said.as_of.isoformat(),
            "importance": one.importance,
            "shift": one.shift and one.shift.model_dump(mode="json"),
        }
        for said, one in explained
    ]
    return table, "importance", found


def _signs(report: Report, horizon: str, found: HorizonExplanation) -> Table:
    from cbi_common.reporting.tables import Table, columns, heading, number

    said = {True: "yes", False: "NO", None: "says nothing"}
    return Table(
        title=f"How drivers pushed {found.n_past} past forecasts of {horizon} · {heading(report)}",
        columns=columns("<driver", "<of", "expected", "rank correlation", "cutoffs", "<as expected"),
        rows=tuple(
            (name, one.series, f"{one.expected:+d}", number(one.found, signed=True), str(one.n), said[one.agrees])
            for name, one in sorted(found.signs.items())
        ),
        note="rank correlation: of the driver's value with what it contributed to the forecast",
    )
