"""``cbi benchmark``."""

from __future__ import annotations

import click

from cbi_common.runtime.commands.options import examples

_YEARS = 3


@click.group(
    epilog=examples(
        "cbi benchmark export-sql --model 'p.m.b_{horizon}' --features p.m.features --label 'target_{horizon}'"
    )
)
def benchmark() -> None:
    """The benchmark that a candidate has to beat."""


@benchmark.command(
    "export-sql",
    epilog=examples(
        "cbi benchmark export-sql --model 'p.models.bqml_{horizon}' --features 'p.models.features_{horizon}' "
        "--label 'target_{horizon}'"
    ),
)
@click.option("--table", default="bqml.predictions", show_default=True, help="Table that the predictions go to.")
@click.option("--model", required=True, help="Model of BigQuery ML; {horizon} stands for 1w … 12m.")
@click.option("--features", required=True, help="Table or view with `date` and what the model wants.")
@click.option("--label", required=True, help="Column that the model was trained on, a price.")
def export_sql(table: str, model: str, features: str, label: str) -> None:
    """Print the statement that writes the newest day's predictions."""
    from cbi_common.core.clock import system_clock
    from cbi_common.timeseries.calendar import sessions_between
    from promoter.domain.bqml import Names, statement

    today = system_clock().date()
    days = sessions_between(today.replace(day=1), today.replace(year=today.year + _YEARS, day=1))
    click.echo(statement(Names(table, model, features, label), days.tolist()), nl=False)
