"""The regime as tables for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from cbi_common.core.regime import Regime
from cbi_common.events.regime import RegimeDetected
from cbi_common.reporting.report import Report
from cbi_common.reporting.tables import Table, columns, heading, number, percent

T = TypeVar("T")
Row = tuple[str, str, str, str, str]
TAUTOLOGY = "a tautology: the labels are rules of the same inputs"


def today(report: Report, found: RegimeDetected) -> Table:
    """Return the state, how sure, and what the calls were worth beside the challenger and persistence."""
    change = f", {found.previous_state} the session before" if found.changed else ""
    rival = found.challenger.name.replace("_", " ") if found.challenger else "challenger"
    return Table(
        title=f"Regime: {found.state}{change} · {heading(report)}",
        columns=columns("<", "served", rival, "persistence", "<"),
        rows=(*_state(found), *_on_the_day(found), *_ahead(found)),
        note=f"scores of {found.n} sessions, each as called on the day; persistence: the label of the day itself; the "
        "challenger does not serve",
    )


def _state(found: RegimeDetected) -> Iterator[Row]:
    lasted = "" if found.sessions_in_state is None else f"for {found.sessions_in_state} sessions, since {found.since}"
    by = "" if found.called_by is None else f"called by {found.called_by}"
    rival = "" if found.challenger is None else str(found.challenger.state)
    yield "state", str(found.state), rival, "", "; ".join(text for text in (lasted, by) if text)
    for state in Regime:
        ahead = [f"{percent(p, digits=0)} in {n} sessions" for n, p in _chances_ahead(found, state)]
        yield f"P({state})", percent(found.probabilities.get(state)), "", "", ", ".join(ahead)


def _chances_ahead(found: RegimeDetected, state: Regime) -> list[tuple[str, float]]:
    return [(n, one.probabilities[state]) for n, one in _by_sessions(found.ahead)]


def _on_the_day(found: RegimeDetected) -> Iterator[Row]:
    accuracy, balanced, lag, switches = _challenger(found)
    yield "accuracy on the day", percent(found.nowcast_accuracy), percent(accuracy), "", TAUTOLOGY
    yield "  mean of the classes", percent(found.balanced_accuracy), percent(balanced), "", ""
    yield "  Brier score", number(found.brier, 3), "", "", "0 is perfect, 2 the worst"
    calibration = percent(found.calibration_error)
    yield "  calibration error", calibration, "", "", "how sure it was against how often it was right"
    followed = "after the rules, of the changes it followed"
    yield "detection lag in sessions", number(found.detection_lag, 1), number(lag, 1), "", followed
    yield "switches a year", number(found.switches_per_year, 1), number(switches, 1), "", ""


def _challenger(found: RegimeDetected) -> tuple[float | None, float | None, float | None, float | None]:
    rival = found.challenger
    if rival is None:
        return None, None, None, None
    return rival.nowcast_accuracy, rival.balanced_accuracy, rival.detection_lag, rival.switches_per_year


def _ahead(found: RegimeDetected) -> Iterator[Row]:
    rival = found.challenger.forward_accuracy if found.challenger else {}
    for n, value in _by_sessions(found.forward_accuracy):
        persistence = percent(found.persistence_accuracy.get(n))
        yield f"accuracy {n} sessions ahead", percent(value), percent(rival.get(n)), persistence, "of today's state"
        if n not in found.ahead:
            continue
        one = found.ahead[n]
        yield "  of the forecast", percent(one.accuracy), "", percent(one.persistence_accuracy), ""
        yield "  its Brier score", number(one.brier, 3), "", number(one.persistence_brier, 3), ""


def spells(report: Report, past: Sequence[Mapping[str, Any]]) -> Table:
    """Return the spells of one state, the newest first."""
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


def transitions(report: Report, steps: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Table:
    """Return how often each regime was followed by each, so many sessions later."""
    return Table(
        title=f"What followed each regime, by the rules · {heading(report)}",
        columns=columns("sessions ahead", "<from", *(f"to {state}" for state in Regime)),
        rows=tuple(
            (n, start, *(percent(ends[state]) for state in Regime))
            for n, step in _by_sessions(steps)
            for start, ends in step.items()
        ),
        note="over the sessions of the history, plus one evenly spread pair: nothing is called impossible",
    )


def _by_sessions(values: Mapping[str, T]) -> list[tuple[str, T]]:
    return sorted(values.items(), key=lambda item: int(item[0]))
