"""``cbi publish``."""

from __future__ import annotations

import sys

import click

from cbi_common.runtime.commands.options import examples, lake_option


class _Publish(click.Command):
    """Lists the events and their fields when its own help is asked for."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the subjects, then the examples."""
        from cbi_common.runtime.commands.by_hand import fields_of_all

        with formatter.section("Subjects (? may be left out)"):
            formatter.write_dl(fields_of_all())
        super().format_epilog(ctx, formatter)


@click.command(
    cls=_Publish,
    epilog=examples(
        "cbi publish data.requested market=zl as_of=2025-05-16 profile=quick",
        'cbi publish data.exported \'{"market": "zl"}\'       retrain on the latest export',
        "cbi publish data.exported - < event.json",
        "cbi publish --raw data.exported 'no json'            see what a malformed event does",
    ),
)
@click.argument("subject")
@click.argument("payload", nargs=-1, metavar="[JSON|-|KEY=VALUE...]")
@click.option("--raw", is_flag=True, help="Send the payload as it is, unchecked.")
@lake_option
def publish(subject: str, payload: tuple[str, ...], raw: bool, lake: str | None) -> None:
    """Publish an event by hand.

    It is checked against the schema of its SUBJECT first.
    """
    from cbi_common.runtime.commands import by_hand
    from cbi_common.runtime.commands.reading import on_the_bus

    words = (sys.stdin.read(),) if payload == ("-",) else payload
    prepared = by_hand.prepare(subject, words, raw=raw)
    for line in on_the_bus(lake, prepared.send):
        click.echo(line)
