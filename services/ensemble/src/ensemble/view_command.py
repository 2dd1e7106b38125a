"""``cbi blend-view``."""

from __future__ import annotations

import click

from cbi_common.runtime.commands.options import examples


@click.command(
    "blend-view",
    epilog=examples(
        "cbi blend-view --results bigquery://PROJECT                            the statement, to read",
        "cbi blend-view --results bigquery://PROJECT | bq query --nouse_legacy_sql   to run it",
    ),
)
@click.option("--results", metavar="bigquery://PROJECT[/DATASET]", help="Where the results are [default: CBI_RESULTS].")
def blend_view(results: str | None) -> None:
    """Print the BigQuery view that computes the blend of every recorded forecast anew.

    Its column `blended` is the weighted members' forecast and must equal `point`.
    """
    from cbi_common.catalogue.spec import load_catalogue
    from cbi_common.core.errors import UsageError
    from cbi_common.runtime.settings import Settings
    from cbi_common.storage.bigquery_url import is_bigquery, parse_place
    from ensemble.domain.blend_view import blend_view as statement

    url = Settings.load(results=results).results_url
    if not is_bigquery(url):
        raise UsageError(f"{url} is a folder", where="--results", hint="name bigquery://PROJECT")
    place = parse_place(url)
    click.echo(statement(place.project, place.dataset, (model.id for model in load_catalogue().models)), nl=False)
