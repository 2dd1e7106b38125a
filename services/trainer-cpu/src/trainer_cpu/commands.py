"""``cbi leaderboard``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cbi_common.runtime.commands.options import View, examples, horizon_choice, over_a_run

if TYPE_CHECKING:
    from cbi_common.reporting.report import ModelReport, Report
    from cbi_common.reporting.tables import Table
    from trainer_cpu.groups import Grouping


@click.command(
    epilog=examples(
        "cbi leaderboard                 skill of every model at every horizon",
        "cbi leaderboard --horizon 1m    all scores at one month",
        "cbi leaderboard --by regime     skill at one horizon in every regime (--horizon; 1m unless told)",
        "cbi leaderboard --volatility    the models of how much the price moves",
        "cbi leaderboard --json",
    )
)
@click.option("--horizon", type=horizon_choice, help="Show every score of one horizon.")
@click.option("--by", type=click.Choice(["era", "regime", "move"]), help="Skill by era, regime or size of the move.")
@click.option("--unseen", is_flag=True, help="With --by: models trained without the era or regime (profile full).")
@click.option("--volatility", is_flag=True, help="Show the volatility models.")
@over_a_run
def leaderboard(view: View, horizon: str | None, by: Grouping | None, *, unseen: bool, volatility: bool) -> None:
    """Rank the models by skill against no-change."""
    from cbi_common.reporting.tables import VOLATILITY, ranking, volatility_ranking

    models: tuple[ModelReport, ...] = tuple(m for m in view.part("models") if (m.family == VOLATILITY) == volatility)
    if unseen and by not in ("era", "regime"):
        raise click.UsageError("--unseen goes with --by era or --by regime.")
    if by is not None:
        _show_groups(view, horizon or "1m", by, unseen=unseen)
        return
    if volatility:
        view.show(volatility_ranking(view.report), "models", [m.model_dump(mode="json") for m in models])
        return
    if horizon is None:
        view.show(ranking(view.report), "models")
        return
    chosen = sorted((m for m in models if m.horizon == horizon), key=_by_error)
    view.show(_scores(view.report, chosen), "models", [m.model_dump(mode="json") for m in chosen])


def _show_groups(view: View, horizon: str, by: Grouping, *, unseen: bool) -> None:
    from cbi_common.core.horizon import Horizon
    from cbi_common.runtime.settings import Settings
    from cbi_common.storage.lake import Lake
    from trainer_cpu.groups import as_data, group_scores, group_table, unseen_scores

    score, title = (unseen_scores, f"{by} it had not seen") if unseen else (group_scores, by)
    found = score(Lake(Settings.load(lake=view.lake).lake), view.run, Horizon(horizon), by)
    view.show(group_table(view.report, found, horizon, title), "models", as_data(found))


def _by_error(model: ModelReport) -> tuple[float, str]:
    mae = model.metrics.mae if model.metrics else None
    return (float("inf") if mae is None else mae, model.model_id)


def _scores(report: Report, models: list[ModelReport]) -> Table:
    from cbi_common.reporting.tables import UNKNOWN, Table, columns, heading, number, percent

    lines = []
    for model in models:
        m = model.metrics
        scores = (
            ("",) * 7
            if m is None
            else (
                percent(m.skill, signed=True), number(m.dm_p), number(m.mae), percent(m.mape), number(m.mase),
                percent(m.directional_accuracy, digits=0), number(m.n_effective, 0),
            )
        )  # fmt: skip
        weights = report.ensemble[model.horizon].members if model.horizon in report.ensemble else {}
        weight = percent(weights.get(model.model_id), digits=0)
        lines.append((model.model_id, model.family or "", model.status, *scores, weight, model.error or ""))
    return Table(
        title=f"{models[0].horizon if models else ''} · {heading(report)}",
        columns=columns(
            "<model", "<family", "<status", "skill", "DM p", f"MAE {report.unit or UNKNOWN}", "MAPE", "MASE",
            "direction", "n eff", "weight", "<error",
        ),
        rows=tuple(lines),
    )  # fmt: skip
