"""What stands behind the forecasts: the combinations that competed, the bands' record, the volatility's."""

from __future__ import annotations

from cbi_common.reporting.report import Report
from cbi_common.reporting.tables import Table, columns, heading, number, percent

NOMINAL = 0.9


def combination_table(report: Report) -> Table:
    """Return the skill that each way to combine the members would have had, and how often it served."""
    lines = []
    for horizon, ensemble in report.ensemble.items():
        ranked = sorted(ensemble.combinations.items(), key=lambda item: (-(item[1].skill or 0.0), item[0]))
        lines += [
            (
                str(horizon), name, percent(c.skill, signed=True, digits=2), number(c.dm_p), number(c.beaten_p),
                percent(c.served, digits=0),
            )
            for name, c in ranked
        ]  # fmt: skip
        longest = ensemble.longest
        lines.append((
            str(horizon), "as served", percent(ensemble.metrics.skill, signed=True, digits=2),
            number(ensemble.metrics.dm_p), "", "",
        ))  # fmt: skip
        if longest is not None:
            name = f"as served, {longest.n} cutoffs"
            lines.append((
                str(horizon), name, percent(longest.skill, signed=True, digits=2), number(longest.dm_p), "", "",
            ))  # fmt: skip
    tests = ", ".join(f"{horizon} {number(e.spa_p)}" for horizon, e in report.ensemble.items())
    return Table(
        title=f"Combinations · {heading(report)}",
        columns=columns("<horizon", "<combination", "skill", "DM p", "beaten p", "served"),
        rows=tuple(lines),
        note="skill: 1 − MAE / MAE of no-change on the same cutoffs; beaten p: chance of such a lead of what was "
        "served over it if there were none (Diebold-Mariano); served: share of the cutoffs at which it was chosen, "
        "by errors that had matured; best_member: the single member that was closest by then, never served\n"
        f"the best of all that was tried is luck with probability (Hansen's SPA): {tests}",
    )


def band_table(report: Report) -> Table:
    """Return the record of the 90 % bands since 2010, beside no-change with a GARCH band on the same rows."""
    lines = []
    for horizon, e in report.ensemble.items():
        error = e.coverage_error
        off = None if e.coverage_90 is None or not error else (e.coverage_90 - NOMINAL) / error
        lines.append((
            str(horizon), str(e.n_bands), percent(e.coverage_90), percent(error), number(off, 1, signed=True),
            percent(e.coverage_90_last60), percent(e.worst_year_coverage, digits=0),
            percent(e.worst_year_by_chance, digits=0), number(e.winkler_90), percent(e.garch_coverage_90),
            number(e.garch_winkler_90), number(e.garch_better_p),
        ))  # fmt: skip
    regimes = [
        f"{horizon} by regime: {', '.join(f'{r} {percent(c, digits=0)}' for r, c in e.coverage_by_regime.items())}"
        for horizon, e in report.ensemble.items()
        if e.coverage_by_regime
    ]
    return Table(
        title=f"90 % bands · {heading(report)}",
        columns=columns(
            "<horizon", "n", "covered", "± error", "off by", "last 60", "worst year", "by chance", "Winkler",
            "GARCH covers", "Winkler", "better p",
        ),
        rows=tuple(lines),
        note="\n".join([
            *regimes,
            "error: standard error with overlap counted; off by: coverage less 90 %, in those; by chance: what the "
            "worst year of a perfect band undercuts once in twenty times",
            "GARCH: no-change with a normal band of GARCH(1,1)'s volatility on the same rows; better p: chance of "
            "such a lead of GARCH's Winkler score if there were none (Diebold-Mariano)",
        ]),
    )  # fmt: skip


def volatility_table(report: Report) -> Table:
    """Return what the volatility behind the bands is worth beside EWMA and HAR, and whose votes made it."""
    lines = [
        (
            str(score.horizon), score.model_id, str(score.n), number(score.qlike, 3), percent(score.skill, signed=True),
            percent(score.skill_har, signed=True), number(score.mae, 3),
            percent(report.ensemble[score.horizon].volatility_weights.get(score.model_id), digits=0)
            if score.horizon in report.ensemble
            else "",
        )
        for score in report.volatility
    ]  # fmt: skip
    return Table(
        title=f"Volatility as served · {heading(report)}",
        columns=columns("<horizon", "<forecast", "n", "QLIKE", "to EWMA", "to HAR", "MAE points a day", "vote"),
        rows=tuple(lines),
        note="to EWMA, to HAR: 1 − QLIKE / theirs on the same cutoffs; vote: its share in what was served at as_of",
    )
