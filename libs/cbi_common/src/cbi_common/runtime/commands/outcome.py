"""The end of a run: tables, the report file, the exit code."""

from __future__ import annotations

from pathlib import Path

import click

from cbi_common.core.errors import DataError, IncompleteError
from cbi_common.reporting.projection import Run
from cbi_common.reporting.report import Measured, Report, build_report
from cbi_common.reporting.tables import forecast_table, number, ranking
from cbi_common.runtime import console

_STDOUT = "-"


def conclude(run: Run, measured: Measured, json_file: str | None) -> int:
    """Show and write what came of a run.

    Returns
    -------
    int
        0; the other outcomes are errors with their own codes.

    Raises
    ------
    DataError
        When the data was rejected.
    IncompleteError
        When a horizon has no forecast.
    """
    report = build_report(run, measured)
    if json_file == _STDOUT:
        console.write_json(report.model_dump(mode="json"))
    elif json_file is not None:
        console.save_json(Path(json_file), report.model_dump(mode="json"))
    if report.rejected is not None:
        bad = report.rejected
        count = f" ({bad.count} found)" if bad.count else ""
        raise DataError(
            f"{bad.check}: {bad.message.removeprefix(f'{bad.table}: ')}{count}",
            where=f"table {bad.table}",
            hint="nothing was trained; mend the table and run again",
        )
    if json_file != _STDOUT:
        _show(report)
    if report.missing:
        reasons = "; ".join(f"{horizon}: {reason}" for horizon, reason in report.missing.items())
        raise IncompleteError(f"no forecast for {reasons}", where=f"run {report.run_id}")
    return 0


def _show(report: Report) -> None:
    console.simulated_banner(report.simulated)
    console.show(forecast_table(report))
    console.show(ranking(report))
    failed = [model for model in report.models if model.status in ("failed", "missing")]
    for model in failed:
        click.echo(f"{model.model_id} {model.horizon} {model.status}: {model.error or 'no answer'}")
    for alert in report.alerts:
        click.echo(f"alert: {alert}")
    times = report.timings
    click.echo(
        f"{number(times.wall_s, 1)} s, {number(times.fit_cpu_s, 1)} CPU s of fits, {times.cores} cores, "
        f"peak {number(report.peak_rss_mb, 0)} MiB; `cbi explain`, `cbi leaderboard` and `cbi gates` say more"
    )
