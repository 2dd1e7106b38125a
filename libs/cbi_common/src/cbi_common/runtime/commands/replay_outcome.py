"""The end of a replay: scores of what was issued, the file, the exit code."""

from __future__ import annotations

from pathlib import Path

import click

from cbi_common.core.errors import IncompleteError
from cbi_common.reporting.replayed import Replayed, scores
from cbi_common.reporting.tables import number
from cbi_common.runtime import console

_STDOUT = "-"


def conclude(replayed: Replayed, lake: str, json_file: str | None) -> int:
    """Show and write what came of a replay.

    Raises
    ------
    IncompleteError
        When a day has no forecast.
    """
    data = replayed.model_dump(mode="json")
    if json_file == _STDOUT:
        console.write_json(data)
    elif json_file is not None:
        console.save_json(Path(json_file), data)
    if json_file != _STDOUT:
        _show(replayed, lake)
    empty = [step for step in replayed.steps if not step.forecasts]
    if empty:
        reason = empty[0].rejected or "no horizon could be forecast"
        raise IncompleteError(f"{len(empty)} of {len(replayed.steps)} days have no forecast, the first: {reason}",
                              where=f"replay, {empty[0].session}")  # fmt: skip
    return 0


def _show(replayed: Replayed, lake: str) -> None:
    console.simulated_banner(replayed.simulated)
    for source in replayed.validations:
        console.show(scores(replayed, source))
    steps = replayed.steps
    drifts, retrains = sum(len(s.drifts) for s in steps), sum(len(s.retrains) for s in steps)
    made = [step.wall_s for step in steps if step.wall_s is not None]
    pace = f", {number(sum(made) / len(made), 1)} s a step" if made else ""
    click.echo(
        f"{len(steps)} days ({len(made)} lived through now), {drifts} drifts, {retrains} retrains, "
        f"{number(replayed.wall_s, 0)} s{pace}; `cbi validate --lake {lake} --source issued` says more"
    )
