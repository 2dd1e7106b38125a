"""``cbi verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cbi_common.runtime.commands.options import examples, json_option, lake_option

if TYPE_CHECKING:
    from cbi_common.reporting.projection import Run

_run_option = click.option("--run", "run_id", metavar="ID", help="Run id or a prefix [default: latest complete run].")


@click.group(epilog=examples("cbi verify leakage", "cbi verify ceiling"))
def verify() -> None:
    """Prove what the gates ask to be proved, and judge the run again."""


@verify.command(epilog=examples("cbi verify leakage", "cbi verify leakage --profile smoke --json"))
@click.option("--profile", type=click.Choice(["smoke", "quick", "standard"]), help="[default: that of the run]")
@_run_option
@lake_option
@json_option
def leakage(profile: str | None, run_id: str | None, lake: str | None, as_json: bool) -> int:
    """Prove that no forecast knows its future: poison it.

    Behind five days of the past the tables of the run are made noise, lose rows and gain others, each time in a fresh
    process on an empty lake; nothing up to that day may change by a bit. Leaks that are planted must be found. Fourteen
    passes: some minutes with profile smoke or quick, hours with standard. Exit code 4 when a leak is found.
    """
    from cbi_common.runtime.commands import verifying

    run = _run(lake, run_id)
    return verifying.leakage(run, lake, profile, as_json=as_json)


@verify.command(epilog=examples("cbi verify ceiling"))
@_run_option
@lake_option
@json_option
def ceiling(run_id: str | None, lake: str | None, as_json: bool) -> int:
    """Say what can be known of a simulated market, on the rows on which the run was scored."""
    from cbi_common.runtime.commands import verifying

    return verifying.ceiling(_run(lake, run_id), lake, as_json=as_json)


def _run(lake: str | None, run_id: str | None) -> Run:
    from cbi_common.runtime.commands.reading import choose_run, read_runs

    return choose_run(read_runs(lake), run_id)
