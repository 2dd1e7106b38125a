"""``cbi regime``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cbi_common.runtime.commands.options import View, examples, over_a_run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cbi_common.events.regime import RegimeDetected
    from cbi_common.reporting.report import Report
    from cbi_common.reporting.tables import Table

Row = tuple[str, str, str]


@click.command(epilog=examples("cbi regime", "cbi regime --history", "cbi regime --json"))
@click.option("--history", is_flag=True, help="Spells of one state instead, the newest first.")
@over_a_run
def regime(view: View, history: bool) -> None:
    """Show the market's regime and its detection.

    Probabilities stand in the order crisis, bull, bear, normal.
    """
    report = view.part("regime")
    found: RegimeDetected = view.need(view.run.regime, "regime").data
    if history:
        past = _spells(view, found)
        view.show(_history(view.report, past), "regime_history", past)
        return
    view.show(
        _today(view.report, found),
        "regime",
        {**found.model_dump(mode="json", exclude={"history"}), **report.model_dump(mode="json")},
    )


def _today(report: Report, found: RegimeDetected) -> Table:
    from cbi_common.reporting.tables import Table, columns, heading

    change = f", {found.previous_state} the session before" if found.changed else ""
    return Table(
        title=f"Regime: {found.state}{change} · {heading(report)}",
        columns=columns("<", "", "<"),
        rows=(*_state(found), *_record(found), *_ahead(found), *_challenger(found)),
    )


def _state(found: RegimeDetected) -> Iterator[Row]:
    from cbi_common.core.regime import Regime
    from cbi_common.reporting.tables import percent

    if found.sessions_in_state is not None:
        yield "sessions in this state", str(found.sessions_in_state), f"since {found.since}"
    for state in Regime:
        yield f"P({state})", percent(found.probabilities.get(state)), ""


def _record(found: RegimeDetected) -> Iterator[Row]:
    from cbi_common.reporting.tables import number, percent

    yield "accuracy today", percent(found.nowcast_accuracy), "against labels that are rules of the same inputs"
    yield "balanced accuracy today", percent(found.balanced_accuracy), ""
    yield "calibration error", percent(found.calibration_error), "how sure it was against how often it was right"
    yield "Brier score", number(found.brier, 3), "0 is perfect, 2 the worst"
    yield "sessions until a change is seen", number(found.detection_lag, 1), "after the rules have seen it"
    yield "switches a year", number(found.switches_per_year, 1), ""
    for sessions, value in _by_sessions(found.forward_accuracy):
        persistence = percent(found.persistence_accuracy.get(sessions))
        yield f"accuracy {sessions} sessions ahead", percent(value), f"today's state; persistence {persistence}"


def _ahead(found: RegimeDetected) -> Iterator[Row]:
    from cbi_common.core.regime import Regime
    from cbi_common.reporting.tables import number, percent

    for sessions, one in _by_sessions(found.ahead):
        chances = ", ".join(f"{state} {percent(one.probabilities.get(state), digits=0)}" for state in Regime)
        scores = f"persistence {percent(one.persistence_accuracy)}"
        yield f"forecast of {sessions} sessions ahead", percent(one.accuracy), f"{scores}; now {chances}"
        yield "  its Brier score", number(one.brier, 3), f"persistence {number(one.persistence_brier, 3)}"


def _challenger(found: RegimeDetected) -> Iterator[Row]:
    from cbi_common.reporting.tables import number, percent

    rival = found.challenger
    if rival is None:
        return
    yield f"challenger {rival.name}", rival.state, "does not serve"
    yield "  accuracy today", percent(rival.nowcast_accuracy), f"balanced {percent(rival.balanced_accuracy)}"
    for sessions, value in _by_sessions(rival.forward_accuracy):
        yield f"  accuracy {sessions} sessions ahead", percent(value), ""
    yield "  switches a year", number(rival.switches_per_year, 1), f"lag {number(rival.detection_lag, 1)} sessions"


def _by_sessions(values: dict[str, Any]) -> list[tuple[str, Any]]:
    return sorted(values.items(), key=lambda item: int(item[0]))


def _spells(view: View, found: RegimeDetected) -> list[dict[str, Any]]:
    from cbi_common.runtime.settings import Settings
    from cbi_common.storage.lake import Lake
    from cbi_common.storage.tables import get_table
    from regime.history import past_spells

    return past_spells(get_table(Lake(Settings.load(lake=view.lake).lake), found.history))


def _history(report: Report, past: list[dict[str, Any]]) -> Table:
    from cbi_common.reporting.tables import Table, columns, heading, percent

    return Table(
        title=f"Regimes as called on the day · {heading(report)}",
        columns=columns("<state", "<first", "<last", "sessions", "as the rules"),
        rows=tuple(
            (
                spell["state"], spell["first"], spell["last"], str(spell["sessions"]),
                percent(spell["agreement"], digits=0),
            )
            for spell in reversed(past)
        ),
    )  # fmt: skip
