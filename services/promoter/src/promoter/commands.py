"""``cbi gates``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cbi_common.runtime.commands.options import View, examples, over_a_run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cbi_common.core.horizon import Horizon
    from cbi_common.events.promotion import GateReport


@click.command(epilog=examples("cbi gates", "cbi gates --policy plan --json"))
@click.option("--policy", metavar="NAME", help="Only the gates of one policy (plan, relative).")
@over_a_run
def gates(view: View, policy: str | None) -> None:
    """Show the promotion gates and their verdicts."""
    from cbi_common.reporting.tables import Table, columns, heading, number

    found: Mapping[Horizon, GateReport] = view.part("gates")
    known = sorted({name for report in found.values() for name in report.policies})
    if policy is not None and policy not in known:
        raise click.BadParameter(f"{policy!r} is not one of {', '.join(known)}", param_hint="--policy")
    chosen = known if policy is None else [policy]
    lines = [
        (
            str(horizon), report.candidate, name, gate.id, number(gate.value, 3), number(gate.threshold, 3),
            "pass" if gate.passed else "FAIL", gate.detail,
        )
        for horizon, report in found.items()
        for name, judged in report.policies.items()
        if name in chosen
        for gate in judged.gates
    ]  # fmt: skip
    verdicts = ", ".join(
        f"{h} {name} {p.verdict}" for h, r in found.items() for name, p in r.policies.items() if name in chosen
    )
    table = Table(
        title=f"Promotion gates · {heading(view.report)}",
        columns=columns("<horizon", "<candidate", "<policy", "<gate", "value", "threshold", "<", "<detail"),
        rows=tuple(lines),
        note=f"verdicts: {verdicts}",
    )
    view.show(table, "gates", {h: _of(report, chosen) for h, report in found.items()})


def _of(report: GateReport, policies: list[str]) -> dict[str, object]:
    dumped = report.model_dump(mode="json")
    return {**dumped, "policies": {name: p for name, p in dumped["policies"].items() if name in policies}}
