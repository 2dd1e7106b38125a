"""The model card of a run: what a forecast is made of, what it was worth and where it must not be trusted.

Everything on it comes from events; what no event says is not on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from cbi_common.core.errors import IncompleteError
from cbi_common.core.horizon import Horizon
from cbi_common.events.base import Envelope
from cbi_common.events.data import DataExported
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.monitoring import Slice
from cbi_common.events.promotion import GateReport
from cbi_common.reporting.ensemble_tables import band_table
from cbi_common.reporting.lineage import lake_objects
from cbi_common.reporting.projection import Run
from cbi_common.reporting.report import EnsembleReport, Report, build_report
from cbi_common.reporting.tables import SIGNIFICANCE, Table, columns, number, percent

SIMULATED = "> **SIMULATED.** Made from simulated data: it says nothing about a real market."
"""Line of every card of simulated data."""

_HEARD = 0.0005
_FEW_WINDOWS = 30
_PARTS = {"era": "era", "regime": "state of the market at the cutoff", "move": "size of the move"}


class Terms(NamedTuple):
    """On what terms a run serves."""

    version: str
    target: str
    policy: str
    shadow: str
    """What the comparison with the champion said, or that it was left out."""


def card_key(version: str) -> str:
    """Return where the card of a promoted version lies in the lake."""
    return f"card/{version}"


def model_card(run: Run, horizons: Sequence[Horizon] = (), terms: Terms | None = None) -> str:
    """Return the model card of a run in Markdown.

    Parameters
    ----------
    run : Run
        With its export and its final forecast.
    horizons : sequence of Horizon
        What the card is about; empty: all that have a forecast.
    terms : Terms, optional
        Of the promotion; None: a candidate.

    Raises
    ------
    IncompleteError
        When the run has no final forecast.
    """
    if run.export is None or run.forecast is None or run.forecast.data.provisional:
        raise IncompleteError("no final forecast", where=f"run {run.run_id}", hint="`cbi status` says how far it is")
    report = build_report(run)
    chosen = [h for h in report.forecasts if not horizons or h in horizons]
    export, forecast = run.export.data, run.forecast.data
    parts = [
        _head(export, report, chosen, terms),
        _about(report, chosen),
        _data(export),
        _scores(run, report, chosen),
        _calibration(report, chosen),
        _gates(report, chosen, terms),
        _limits(export, forecast, report, chosen),
        _lineage(run),
    ]
    return "\n\n".join(parts) + "\n"


def _head(export: DataExported, report: Report, chosen: Iterable[Horizon], terms: Terms | None) -> str:
    names = ", ".join(chosen)
    serves = (
        f"Serves as `{terms.version}` at target {terms.target}, by policy {terms.policy}."
        if terms
        else "A candidate: nothing was promoted with this card."
    )
    lines = [
        f"# Model card: {_plain(export.title or export.market)} ({export.market}), {names}",
        *([SIMULATED] * bool(report.simulated)),
        f"{serves} Run `{report.run_id}`, profile {report.profile}, as of {report.as_of}, prices in {report.unit}.",
    ]
    return "\n\n".join(lines)


def _about(report: Report, chosen: Iterable[Horizon]) -> str:
    rows = tuple((str(h), report.ensemble[h].combiner, *_members(report.ensemble[h])) for h in chosen)
    table = Table("", columns("<horizon", "<combined by", "<members and their weights", "silent"), rows)
    return (
        "## What it is\n\nAn ensemble: its members forecast the log return over a horizon, their weighted mean is the "
        "median forecast, and the 90 % band around it is conformal, scaled by the forecast volatility.\n\n"
        + _markdown(table)
    )


def _members(ensemble: EnsembleReport) -> tuple[str, str]:
    heard = sorted(((w, m) for m, w in ensemble.members.items() if w >= _HEARD), key=lambda item: (-item[0], item[1]))
    return ", ".join(f"{m} {percent(w)}" for w, m in heard), str(len(ensemble.members) - len(heard))


def _data(export: DataExported) -> str:
    rows = tuple(
        (
            name, str(d.rows), str(d.columns), f"{d.start} … {d.end}", str(len(d.dropped_columns)),
            ", ".join(f"{scheme} {number(n, 0)}" for scheme, n in sorted(d.effective_rows.items())) or "–",
        )
        for name, d in sorted(export.datasets.items())
    )  # fmt: skip
    names = ("<dataset", "rows", "columns", "<span", "dropped", "<effective rows by weights of the eras")
    judged = [table.verdict for table in export.quality.values()]
    counts = ", ".join(f"{judged.count(verdict)} {verdict}" for verdict in sorted(set(judged))) or "none"
    return (
        f"## Data\n\nWarehouse: {_plain(export.warehouse or 'unknown')}. Tables by the gate's verdict: {counts}. "
        "Effective rows (Kish) say how few rows are left to learn from when eras weigh differently.\n\n"
        + _markdown(Table("", columns(*names), rows))
    )


def _scores(run: Run, report: Report, chosen: Sequence[Horizon]) -> str:
    names = ("<horizon", "n", "independent", "MAPE", "no-change", "skill", "DM p", "SPA p", "R²", "direction")
    rows = tuple(
        (
            str(h), str(m.n), number(m.n_effective, 0), percent(m.mape), percent(m.no_change_mape),
            percent(m.skill, signed=True, digits=2), number(m.dm_p), number(report.ensemble[h].spa_p),
            number(m.r2, 3), percent(m.directional_accuracy, digits=0),
        )
        for h in chosen
        for m in (report.ensemble[h].metrics,)
    )  # fmt: skip
    whole = _markdown(Table("", columns(*names), rows))
    found = [whole, *(part for by in _PARTS if (part := _by(run, chosen, by)))]
    return (
        "## Scores\n\nForecasts as they would have been served, purged walk-forward, beside no-change (the price "
        "stays) on the same rows. Skill: 1 − MAE / MAE of no-change, above 0 is better.\n\n" + "\n\n".join(found)
    )


def _by(run: Run, chosen: Sequence[Horizon], by: str) -> str:
    slices = list(_slices(run, chosen, by))
    names = ("<horizon", f"<{_PARTS[by]}", "n", "MAPE", "no-change", "skill", "band covers")
    rows = tuple(
        (
            str(h), one.value, str(one.metrics.n), percent(one.metrics.mape), percent(one.metrics.no_change_mape),
            percent(one.metrics.skill, signed=True), percent(one.coverage_90, digits=0),
        )
        for h, one in slices
    )  # fmt: skip
    return f"By {_PARTS[by]}:\n\n{_markdown(Table('', columns(*names), rows))}" if rows else ""


def _slices(run: Run, chosen: Sequence[Horizon], by: str) -> Iterator[tuple[Horizon, Slice]]:
    validated = run.validations.get("walk_forward")
    for horizon in chosen:
        for one in validated.data.horizons.get(horizon, ()) if validated else ():
            if one.by == by:
                yield horizon, one


def _calibration(report: Report, chosen: Sequence[Horizon]) -> str:
    kept = report.model_copy(update={"ensemble": {h: report.ensemble[h] for h in chosen}})
    table = band_table(kept)
    return "## Calibration of the 90 % bands\n\n" + _markdown(table) + f"\n\n{_lines(table.note)}"


def _gates(report: Report, chosen: Sequence[Horizon], terms: Terms | None) -> str:
    found = [_gate_table(h, report.gates[h], policy) for h in chosen if h in report.gates
             for policy in sorted(report.gates[h].policies)]  # fmt: skip
    shadow = [f"Beside the champion: {_plain(terms.shadow or 'never compared')}."] if terms else []
    return "\n\n".join(["## Gates", *shadow, *(found or ["The gates have not been judged."])])


def _gate_table(horizon: Horizon, report: GateReport, policy: str) -> str:
    said = report.policies[policy]
    rows = tuple(
        (g.id, number(g.value, 3), number(g.threshold, 3), "passed" if g.passed else "FAILED", g.detail)
        for g in said.gates
    )
    table = Table("", columns("<gate", "value", "threshold", "<", "<detail"), rows)
    return f"{horizon}, policy {policy}: **{said.verdict}** ({report.candidate})\n\n{_markdown(table)}"


def _limits(export: DataExported, forecast: ForecastReady, report: Report, chosen: Sequence[Horizon]) -> str:
    said = [line for h in chosen for line in _doubts(h, report.ensemble[h])]
    said += [f"{name}: {reason}" for name, reasons in forecast.suspect.items() for reason in reasons]
    said += [f"no forecast at {h}: {reason}" for h, reason in report.missing.items()]
    if forecast.missing_members:
        said.append(f"without a result: {', '.join(forecast.missing_members)}")
    said += [f"without {name}: {reason}" for name, reason in sorted(export.absent.items())]
    rejected = sorted(name for name, table in export.quality.items() if table.verdict == "rejected")
    if rejected:
        said.append(f"tables that no model saw: {', '.join(rejected)}")
    said.append("the list of eras is hindsight; who reads scores by era reads them with that in mind")
    return "## Known limits\n\n" + "\n".join(f"- {_plain(line)}" for line in said)


def _doubts(horizon: Horizon, ensemble: EnsembleReport) -> Iterator[str]:
    m = ensemble.metrics
    if m.skill is None or m.dm_p is None or m.skill <= 0 or m.dm_p >= SIGNIFICANCE:
        beaten = f"skill {percent(m.skill, signed=True, digits=2)}, p {number(m.dm_p)}"
        yield f"{horizon}: not shown to be better than no-change ({beaten})"
    if m.n_effective < _FEW_WINDOWS:
        yield f"{horizon}: {number(m.n_effective, 0)} independent windows are few to judge by"
    worst, chance = ensemble.worst_year_coverage, ensemble.worst_year_by_chance
    if worst is not None and chance is not None and worst < chance:
        yield f"{horizon}: in its worst year the band held {percent(worst, digits=0)}, less than chance allows"
    if ensemble.note:
        yield f"{horizon}: {ensemble.note}"


def _lineage(run: Run) -> str:
    told: list[Envelope[Any] | None] = [
        run.export, run.regime, run.forecast, run.explanation, run.validations.get("walk_forward"), run.promotion,
    ]  # fmt: skip
    events = [event for event in told if event is not None]
    ids = tuple((event.type, f"`{event.id}`") for event in events)
    objects = {ref.key: ref.sha256 for event in events for ref in lake_objects(event.data)}
    kept = tuple((f"`{key}`", f"`{sha[:16]}`") for key, sha in sorted(objects.items()))
    return "\n\n".join(
        [
            "## Lineage",
            f"`cbi trace {run.run_id}` walks it. Everything began with `{run.correlation_id}`.",
            _markdown(Table("", columns("<event", "<id"), ids)),
            _markdown(Table("", columns("<lake object", "<SHA-256 begins"), kept)),
        ]
    )


def _markdown(table: Table) -> str:
    head = [_plain(column.name) or " " for column in table.columns]
    rule = ["---:" if column.number else "---" for column in table.columns]
    lines = [head, rule, *([_plain(cell) for cell in row] for row in table.rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _lines(text: str) -> str:
    return "\n".join(f"- {_plain(line)}" for line in text.splitlines())


def _plain(text: str) -> str:
    """Return text that stays text in Markdown: it may come from a warehouse."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "\\<")
