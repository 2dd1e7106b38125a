"""``cbi restore``."""

from __future__ import annotations

import click

from cbi_common.runtime.commands.options import examples, lake_option


@click.command(epilog=examples("cbi restore cbi.tar.gz", "cbi restore cbi.tar.gz --lake elsewhere"))
@click.argument("archive", metavar="FILE")
@lake_option
@click.option("--json", "as_json", is_flag=True, help="Print what was copied as JSON.")
def restore(archive: str, lake: str | None, as_json: bool) -> None:
    """Unpack what `cbi backup` wrote, to where there is no lake yet."""
    from pathlib import Path

    from cbi_common.runtime import backup as backups
    from cbi_common.runtime import console
    from cbi_common.runtime.settings import Settings

    settings = Settings.load(lake=lake)
    copied = backups.restore(Path(archive), settings)
    if as_json:
        console.write_json({"lake": settings.lake, **copied._asdict()})
        return
    click.echo(f"{settings.lake}: {copied.files:,} files, {copied.size_bytes / 1e6:,.1f} MB; `cbi status` shows them")
