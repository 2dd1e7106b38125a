"""``cbi regime``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cbi_common.runtime.commands.options import View, examples, over_a_run

if TYPE_CHECKING:
    import pyarrow as pa

    from cbi_common.events.regime import RegimeDetected


@click.command(epilog=examples("cbi regime", "cbi regime --history", "cbi regime --transition", "cbi regime --json"))
@click.option("--history", "what", flag_value="history", help="Spells of one state instead, the newest first.")
@click.option("--transition", "what", flag_value="transition", help="What followed each regime instead.")
@over_a_run
def regime(view: View, what: str | None) -> None:
    """Show the market's regime and its detection.

    Probabilities stand in the order crisis, bull, bear, normal.
    """
    from regime import tables

    report = view.part("regime")
    found: RegimeDetected = view.need(view.run.regime, "regime").data
    if what == "history":
        from regime.history import past_spells

        past = past_spells(_history(view, found))
        view.show(tables.spells(view.report, past), "regime_history", past)
    elif what == "transition":
        from regime.history import past_transitions

        steps = past_transitions(_history(view, found))
        view.show(tables.transitions(view.report, steps), "regime_transition", steps)
    else:
        known = {**found.model_dump(mode="json", exclude={"history"}), **report.model_dump(mode="json")}
        view.show(tables.today(view.report, found), "regime", known)


def _history(view: View, found: RegimeDetected) -> pa.Table:
    from cbi_common.runtime.settings import Settings
    from cbi_common.storage.lake import Lake
    from cbi_common.storage.tables import get_table

    return get_table(Lake(Settings.load(lake=view.lake).lake), found.history)
