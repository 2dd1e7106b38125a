"""``cbi validate``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import click

from cbi_common.runtime.commands.options import View, examples, over_a_run

if TYPE_CHECKING:
    from cbi_common.core.horizon import Horizon
    from cbi_common.events.monitoring import ModelSlices, Slice, ValidationCompleted
    from cbi_common.reporting.report import Report
    from cbi_common.reporting.tables import Table

_PARTS = ("regime", "era", "move", "driver")
_NOTES = {
    "regime": "regime: as it was known at the cutoff",
    "era": "era: of the cutoff; the list of eras is hindsight",
    "move": "move: size of what happened, so no forecast can be chosen by it",
    "driver": "driver: the series that moved most, for its volatility, in the month before the cutoff",
    "model": "model: on the cutoffs that the served forecast is scored on, or those of them that it has",
}


@click.command(
    epilog=examples(
        "cbi validate                            per horizon and regime",
        "cbi validate --by driver                when palm had moved, when crude had",
        "cbi validate --by model                 every model, not only what was served",
        "cbi validate --source issued --json     what earlier runs published, and everything about it",
    )
)
@click.option(
    "--source",
    type=click.Choice(["walk_forward", "issued"]),
    default="walk_forward",
    show_default=True,
    help="Forecasts as past cutoffs would have been served, or those that earlier runs published.",
)
@click.option(
    "--by",
    type=click.Choice([*_PARTS, "model"]),
    default="regime",
    show_default=True,
    help="What to split the scores by; with --json all parts are given anyway, and models if asked for.",
)
@over_a_run
def validate(view: View, source: str, by: str) -> None:
    """Show matured forecasts against what happened.

    Overall, and by regime, era, size of move, driver or model.
    """
    event = view.need(view.run.validations.get(source), f"{source} validation")
    found: ValidationCompleted = event.data
    if by == "model":
        models = _models(view, found)
        table = _table(view.report, found, _by_model(models), by)
        view.show(table, "validation", {**found.model_dump(mode="json"), "by_model": models.model_dump(mode="json")})
        return
    view.show(_table(view.report, found, _by_part(found, by), by), "validation", found.model_dump(mode="json"))


_Line = tuple["Horizon", str, "Slice"]


def _models(view: View, found: ValidationCompleted) -> ModelSlices:
    from cbi_common.events.monitoring import ModelSlices
    from cbi_common.runtime.settings import Settings
    from cbi_common.storage.lake import Lake

    reference = view.need(found.models, f"scores of single models ({found.source})")
    return ModelSlices.model_validate(Lake(Settings.load(lake=view.lake).lake).get_json(reference))


def _by_part(found: ValidationCompleted, by: str) -> Iterable[_Line]:
    from cbi_common.reporting.report import in_order

    for horizon, parts in in_order(found.horizons).items():
        yield from ((horizon, part.value, part) for part in parts if part.by in ("all", by))


def _by_model(models: ModelSlices) -> Iterable[_Line]:
    from cbi_common.reporting.report import in_order

    for horizon, by_model in in_order(models.horizons).items():
        best_first = sorted(by_model.items(), key=lambda item: (-_skill(item[1]), item[0]))
        yield from ((horizon, model_id, parts[0]) for model_id, parts in best_first)


def _skill(parts: tuple[Slice, ...]) -> float:
    skill = parts[0].metrics.skill
    return float("-inf") if skill is None else skill


def _table(report: Report, found: ValidationCompleted, lines: Iterable[_Line], by: str) -> Table:
    from cbi_common.reporting.tables import Table, columns, heading, number, percent

    what: Mapping[str, str] = {"walk_forward": "as served at past cutoffs", "issued": "as issued by earlier runs"}
    rows = tuple(
        (
            str(horizon), value, str(part.metrics.n), number(part.metrics.n_effective, 0),
            percent(part.metrics.mape), percent(part.metrics.no_change_mape), percent(part.metrics.skill, signed=True),
            percent(part.metrics.directional_accuracy, digits=0), percent(part.coverage_90, digits=0),
        )
        for horizon, value, part in lines
    )  # fmt: skip
    return Table(
        title=f"Forecasts {what[found.source]} against what happened · {heading(report)}",
        columns=columns("<horizon", f"<{by}", "n", "n eff", "MAPE", "no-change", "skill", "direction", "coverage"),
        rows=rows,
        note=_NOTES[by],
    )
