"""``cbi doctor``."""

from __future__ import annotations

import click

from cbi_common.runtime.commands.options import examples, json_option, lake_option


@click.command(epilog=examples("cbi doctor", "cbi doctor --warehouse bigquery://my-project"))
@click.option("--warehouse", metavar="simulated|DIR|bigquery://PROJECT", help="Check that this warehouse can be read.")
@lake_option
@json_option
def doctor(warehouse: str | None, lake: str | None, as_json: bool) -> int:
    """Check whether this machine is ready.

    Looks at Python, packages, bus, lake, disk, memory, accelerator, warehouse and credentials. Exit code 5 when one
    of them fails.
    """
    from dataclasses import asdict

    from cbi_common.runtime import console
    from cbi_common.runtime.commands.checks import examine, table
    from cbi_common.runtime.settings import Settings

    found = examine(Settings.load(warehouse=warehouse, lake=lake))
    if as_json:
        console.write_json([asdict(check) for check in found])
    else:
        console.show(table(found))
    return 5 if any(check.verdict == "fail" for check in found) else 0
