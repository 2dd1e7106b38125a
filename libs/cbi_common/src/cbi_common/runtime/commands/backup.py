"""``cbi backup``."""

from __future__ import annotations

import click

from cbi_common.runtime.commands.options import examples, lake_option


@click.command(epilog=examples("cbi backup --to cbi.tar.gz", "cbi backup --to cbi.tar.gz --lake var/lake"))
@click.option("--to", "file", required=True, metavar="FILE", help="Archive to write; one that is there is replaced.")
@lake_option
@click.option("--json", "as_json", is_flag=True, help="Print what was copied as JSON.")
def backup(file: str, lake: str | None, as_json: bool) -> None:
    """Copy lake, events, champions, decisions and tracking into one file, while no stack runs.

    Secrets and your own tables are not in it. `cbi restore FILE` unpacks it.
    """
    from pathlib import Path

    from cbi_common.runtime import console
    from cbi_common.runtime.backup import back_up
    from cbi_common.runtime.settings import Settings

    settings = Settings.load(lake=lake)
    copied = back_up(settings, Path(file))
    if as_json:
        console.write_json({"file": file, **copied._asdict()})
        return
    rest = "" if copied.lake else f"; the lake {settings.lake} is not in it, keep its bucket"
    click.echo(f"{file}: {copied.files:,} files, {copied.size_bytes / 1e6:,.1f} MB{rest}")
