"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from cbi_common.core.errors import IncompleteError
from cbi_common.core.horizon import Horizon

if TYPE_CHECKING:
    from cbi_common.reporting.projection import Run
    from cbi_common.reporting.report import Report
    from cbi_common.reporting.tables import Table

lake_option = click.option("--lake", metavar="DIR", help="Folder or URL of the lake [default: var/lake].")
horizon_choice = click.Choice([str(horizon) for horizon in Horizon])
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON: fractions, prices in the market's unit."
)

_HEADER = frozenset({"run_id", "request_id", "as_of", "market", "warehouse", "simulated", "unit", "profile"})


def examples(*lines: str) -> str:
    """Return the epilog of a help text, one example per line."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


@dataclass(frozen=True)
class View:
    """The run that a command shows, and how."""

    run: Run
    as_json: bool
    lake: str | None = None
    """Where the run lies, as it was asked for; None: where the settings say."""

    @property
    def report(self) -> Report:
        """The run's report."""
        from cbi_common.reporting.report import build_report

        return build_report(self.run)

    def part(self, name: str) -> Any:
        """Return one part of the report.

        Raises
        ------
        IncompleteError
            When the run has not come that far.
        """
        return self.need(getattr(self.report, name), name)

    def need(self, value: Any, name: str) -> Any:
        """Return ``value``, or say that the run has none."""
        if not value:
            raise IncompleteError(
                f"it has no {name}", where=f"run {self.run.correlation_id}", hint="`cbi status` shows how far it came"
            )
        return value

    def show(self, table: Table, part: str, value: Any = None) -> None:
        """Print the table, or with ``--json`` the run's header and ``value`` (by default that part of the report)."""
        from cbi_common.runtime import console

        if self.as_json:
            report = self.report.model_dump(mode="json")
            header = {name: report[name] for name in report if name in _HEADER}
            console.write_json({**header, part: report[part] if value is None else value})
            return
        console.simulated_banner(self.run.simulated)
        console.show(table)


def over_a_run(command: Callable[..., int | None]) -> Callable[..., int | None]:
    """Give a command ``--lake``, ``--run`` and ``--json`` and call it with the `View` of the run they choose."""

    @lake_option
    @click.option("--run", "run_id", metavar="ID", help="Run id, event id or a prefix [default: latest complete run].")
    @json_option
    @wraps(command)
    def wrapped(*, lake: str | None, run_id: str | None, as_json: bool, **rest: Any) -> int | None:
        from cbi_common.runtime.commands.reading import choose_run, read_runs

        return command(View(choose_run(read_runs(lake), run_id), as_json, lake), **rest)

    return wrapped
