"""``python -m cbi_common.testing.chaos``: what `make chaos` runs."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import tempfile
from pathlib import Path

import click

from cbi_common.core.errors import UsageError
from cbi_common.runtime.cli import OneLine
from cbi_common.testing.chaos import report
from cbi_common.testing.chaos.crew import DEADLINE_S
from cbi_common.testing.chaos.run import Chaos, Ending
from cbi_common.testing.chaos.scenario import KINDS, Kind
from cbi_common.testing.chaos.tracing import strace

_TRACED = ("torn_write", "slow_disk")


@click.command()
@click.option("--n", default=20, show_default=True, help="Scenarios.")
@click.option("--seed", default=1, show_default=True, help="Seed of the first; each next has the next.")
@click.option("--only", multiple=True, type=click.Choice(KINDS), help="Draw only this kind; may be repeated.")
@click.option("--without", multiple=True, type=click.Choice(KINDS), help="Leave this kind out; may be repeated.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write everything to this file.")
@click.option("--logs", default=Path("var/chaos"), type=click.Path(path_type=Path), help="Where failures are kept.")
def command(
    n: int, seed: int, only: tuple[Kind, ...], without: tuple[Kind, ...], json_file: Path | None, logs: Path
) -> None:
    """Do harm to the real stack, N times, and see whether the forecasts are the same to the last bit."""
    kinds = tuple(kind for kind in (only or KINDS) if kind not in without)
    _equipped(kinds)
    logging.disable(logging.CRITICAL)  # the tool's own connection to a bus that is killed has much to say
    endings = asyncio.run(_play(range(seed, seed + n), kinds, logs))
    click.echo(report.summary(endings))
    if json_file is not None:
        json_file.write_text(json.dumps(report.as_json(endings), indent=1), encoding="utf-8")
    if not all(ending.verdict.passed for ending in endings):
        raise SystemExit(1)


async def _play(seeds: range, kinds: tuple[Kind, ...], logs: Path) -> list[Ending]:
    endings = []
    with tempfile.TemporaryDirectory(prefix="cbi-chaos-") as home:
        async with Chaos(Path(home), logs, kinds) as chaos:
            for seed in seeds:
                endings.append(await chaos.play(seed))
                click.echo(report.line(endings[-1], _options(kinds)))
            if left := await chaos.overdue(2 * DEADLINE_S):
                raise UsageError(f"{left} exports are past their deadline and still held", where="chaos")
    return endings


def _options(kinds: tuple[Kind, ...]) -> str:
    """Return the options that draw from these kinds: another choice is another scenario."""
    return "" if kinds == KINDS else " ".join(f"--only {kind}" for kind in kinds)


def _equipped(kinds: tuple[Kind, ...]) -> None:
    """Look before the first scenario whether everything is there."""
    if set(kinds) & set(_TRACED):
        strace()
    if "full_disk" in kinds and os.geteuid():
        raise UsageError("mounts a small disk, which takes root", where="fault full_disk", hint="--without full_disk")


if __name__ == "__main__":
    with OneLine(debug=bool(os.environ.get("DEBUG"))):
        command(standalone_mode=False)
