"""``cbi dead``."""

from __future__ import annotations

import click

from cbi_common.runtime.commands.options import examples, json_option, lake_option


@click.group(epilog=examples("cbi dead list", "cbi dead show 3", "cbi dead replay 3", "cbi dead replay --all"))
def dead() -> None:
    """List, show and replay messages that were given up."""


@dead.command("list")
@lake_option
@json_option
def list_letters(lake: str | None, as_json: bool) -> None:
    """List the dead letters with the reason of each."""
    from cbi_common.runtime import console
    from cbi_common.runtime.commands import letters

    found = letters.read(lake)
    if as_json:
        console.write_json([letter.model_dump(mode="json") for letter in found])
    else:
        console.show(letters.table(found))


@dead.command()
@click.argument("number", type=int)
@lake_option
def show(number: int, lake: str | None) -> None:
    """Show dead letter NUMBER whole, as JSON."""
    from cbi_common.runtime import console
    from cbi_common.runtime.commands import letters

    console.write_json(letters.read_one(lake, number).model_dump(mode="json"))


@dead.command()
@click.argument("number", type=int, required=False)
@click.option("--all", "every", is_flag=True, help="Send all of them again.")
@lake_option
def replay(number: int | None, every: bool, lake: str | None) -> None:
    """Publish dead letter NUMBER again and take it off the list."""
    from cbi_common.runtime.commands import letters

    if (number is None) != every:
        raise click.UsageError("give a NUMBER or --all.")
    for letter in letters.replay(lake, number):
        click.echo(f"{letter.number}: {letter.subject} is on the bus again")
