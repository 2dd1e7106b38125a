"""``cbi export``: the plan's files in a folder."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from cbi_common.runtime.commands.options import examples, json_option, lake_option

if TYPE_CHECKING:
    from cbi_common.runtime.settings import Settings
    from ingest.files import Files


@click.command(
    epilog=examples(
        "cbi export --to exports --warehouse tables                      every file of the market's plan",
        "cbi export --to exports --warehouse tables --as-of 2025-05-16   as if it were that day",
    )
)
@click.option("--to", "folder", required=True, metavar="DIR", help="Folder to write into; made when it does not exist.")
@click.option("--warehouse", metavar="simulated|arch|DIR|bigquery://PROJECT", help="Where the tables are.")
@click.option("--market", metavar="ID|FILE", help="Market to export, or a market file of your own [default: zl].")
@click.option(
    "--as-of", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="Last day to know of [default: the data's last]."
)
@lake_option
@click.option("--force", is_flag=True, help="Overwrite files that `cbi export` did not write.")
@json_option
def export(
    folder: str,
    warehouse: str | None,
    market: str | None,
    as_of: datetime | None,
    lake: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Write a market's datasets as Parquet files.

    Each holds date, session, price, features as known that day, targets recomputed from the canonical price and the
    weights plan, capped and uniform; manifest.json says what was dropped and why. Equal inputs give equal bytes.

    Exit code 3 when the gate rejects the data.
    """
    from pathlib import Path

    from cbi_common.runtime import console
    from cbi_common.runtime.settings import Settings
    from ingest.adapters.export_folder import MANIFEST, ExportFolder
    from ingest.adapters.export_report import export_table, own_target_table

    settings = Settings.load(warehouse=warehouse, market=market, lake=lake)
    target = ExportFolder(Path(folder), force=force)
    made = _made(settings, as_of)
    target.write(made.content, made.manifest.to_json())
    click.echo(f"{len(made.content)} files and {MANIFEST} in {folder}", err=True)
    if as_json:
        console.write_json(made.manifest.model_dump(mode="json"))
        return
    console.simulated_banner(made.manifest.simulated)
    for table in (export_table(made.manifest), own_target_table(made.manifest)):
        console.show(table)


def _made(settings: Settings, as_of: datetime | None) -> Files:
    from cbi_common.core.errors import DataError
    from cbi_common.events.data import DataExported
    from cbi_common.markets.files import load_market
    from cbi_common.storage.lake import Lake
    from ingest import jobs
    from ingest.files import make_files

    click.echo(f"reading {settings.warehouse}", err=True)
    done = jobs.export(
        {
            "lake": settings.lake,
            "warehouse": settings.warehouse,
            "market": settings.market,
            "markets": settings.markets,
            "finbert": settings.finbert,
            "as_of": None if as_of is None else as_of.date().isoformat(),
        }
    )
    if "rejected" in done:
        raise DataError(done["rejected"]["message"], where="data gate", hint="`cbi quality` shows all that was found")
    exported = DataExported.model_validate(done["exported"])
    market = load_market(settings.market, settings.markets)
    return make_files(Lake(settings.lake), market, exported, lambda line: click.echo(line, err=True))
