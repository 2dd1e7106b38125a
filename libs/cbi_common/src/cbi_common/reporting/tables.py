"""Tables for people, as text: the only place where a fraction becomes a percentage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from cbi_common.core.horizon import Horizon
from cbi_common.reporting.report import ModelReport, Report

UNKNOWN = "–"

VOLATILITY = "volatility"
"""Family of the models that have a table of their own: their yardstick is not no-change."""

SIGNIFICANCE = 0.05
FALSE_DISCOVERIES = 0.10
"""Share of luck accepted among the models that are said to beat no-change."""


class Column(NamedTuple):
    """Heading of a column; numbers stand to the right, and a narrow screen does without what is extra."""

    name: str
    number: bool = True
    extra: bool = False


class Table(NamedTuple):
    """A table of text."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def columns(*names: str) -> tuple[Column, ...]:
    """Return columns from headings; ``<`` at the front marks text, ``?`` before it what a narrow screen leaves out."""
    plain = [(name.removeprefix("?"), name.startswith("?")) for name in names]
    return tuple(Column(name.removeprefix("<"), not name.startswith("<"), extra) for name, extra in plain)


def percent(value: float | None, *, signed: bool = False, digits: int = 1) -> str:
    """Return a fraction as a percentage.

    >>> percent(-0.0123, signed=True), percent(None)
    ('-1.2 %', '–')
    """
    return UNKNOWN if value is None else f"{value * 100:{'+' if signed else ''}.{digits}f} %"


def chance(probability: float | None) -> str:
    """Return a probability in whole percent; nothing but 0 and 1 themselves is called certain.

    >>> chance(0.449), chance(0.9996), chance(0.0004), chance(None)
    ('45 %', '> 99 %', '< 1 %', '–')
    """
    if probability is None or probability in {0.0, 1.0} or 0.005 <= probability < 0.995:
        return percent(probability, digits=0)
    return "> 99 %" if probability > 0.5 else "< 1 %"


def number(value: float | None, digits: int = 2, *, signed: bool = False) -> str:
    """Return a number with a fixed count of digits.

    >>> number(49.125), number(0.25, signed=True)
    ('49.12', '+0.25')
    """
    return UNKNOWN if value is None else f"{value:{'+' if signed else ''},.{digits}f}"


def heading(report: Report) -> str:
    """Return what every table of a run is headed with."""
    mark = " · SIMULATED" if report.simulated else ""
    as_of = report.as_of.isoformat() if report.as_of else "no date"
    return f"{(report.market or '?').upper()} as of {as_of} · {report.profile} · run {report.run_id or UNKNOWN}{mark}"


def forecast_table(report: Report) -> Table:
    """Return one row per horizon: the forecast, its band, and what forecasts made like it were worth."""
    lines = []
    for horizon, forecast in report.forecasts.items():
        ensemble = report.ensemble[horizon]
        lines.append((
            str(horizon), forecast.target_date.isoformat(), number(forecast.point),
            f"{number(forecast.lower_90)} … {number(forecast.upper_90)}", number(forecast.current),
            percent(forecast.point / forecast.current - 1, signed=True), forecast.signal,
            chance(forecast.probability_up), percent(ensemble.metrics.skill, signed=True),
            number(ensemble.metrics.dm_p), number(ensemble.n_effective, 0), percent(ensemble.coverage_90, digits=0),
            forecast.regime,
        ))  # fmt: skip
    missing = [f"{horizon}: no forecast, {reason}" for horizon, reason in report.missing.items()]
    notes = [f"{horizon}: {e.note}" for horizon, e in report.ensemble.items() if e.note]
    absent = [f"without {name}: {reason}" for name, reason in report.absent.items()]
    skill = "skill: 1 − MAE / MAE of no-change on the same cutoffs, above 0 is better; coverage: of the 90 % band"
    return Table(
        title=f"Forecast in {report.unit or UNKNOWN} · {heading(report)}",
        columns=columns(
            "<horizon", "?<target date", "point", "90 % band", "current", "move", "<signal", "?P(up)", "skill", "?DM p",
            "?n eff", "coverage", "?<regime",
        ),
        rows=tuple(lines),
        note="\n".join([*missing, *_doubts(report), *notes, *absent, skill]),
    )  # fmt: skip


def ranking(report: Report, horizons: Iterable[Horizon] = tuple(Horizon)) -> Table:
    """Return the skill of every model at every horizon, best mean first, no-change among them."""
    chosen = list(horizons)
    by_model: dict[str, dict[Horizon, ModelReport]] = {}
    for model in (m for m in report.models if m.family != VOLATILITY):
        by_model.setdefault(model.model_id, {})[model.horizon] = model

    def order(model_id: str) -> tuple[float, str]:
        skills = [skill for h in chosen if (skill := _skill(by_model[model_id].get(h))) is not None]
        return (-sum(skills) / len(skills) if skills else float("inf"), model_id)

    ranked = sorted(by_model, key=order)
    return Table(
        title=f"Skill against no-change · {heading(report)}",
        columns=columns("<model", *map(str, chosen), "fit CPU s"),
        rows=tuple(
            (m, *(_cell(by_model[m].get(h)) for h in chosen), _fit_seconds(by_model[m].values())) for m in ranked
        ),
        note="\n".join([*_doubts(report), *_repeats(report), *_discoveries(report), _yardstick(report, chosen)]),
    )


def volatility_ranking(report: Report) -> Table:
    """Return what every volatility model is worth beside EWMA 0.97, horizon by horizon, best first."""
    scored = [(m, m.metrics) for m in report.models if m.family == VOLATILITY and m.metrics]
    order = list(Horizon)
    scored.sort(key=lambda entry: (order.index(entry[0].horizon), entry[1].qlike or float("inf"), entry[0].model_id))
    return Table(
        title=f"Volatility · {heading(report)}",
        columns=columns("<horizon", "<model", "QLIKE", "skill", "DM p", "MAE points a day", "n eff", "fit CPU s"),
        rows=tuple(
            (
                str(model.horizon), model.model_id, number(m.qlike, 3), percent(m.skill, signed=True), number(m.dm_p),
                number(m.volatility_mae, 3), number(m.n_effective, 0), number(model.fit_seconds, 1),
            )
            for model, m in scored
        ),
        note="skill: 1 − QLIKE / QLIKE of EWMA 0.97 on the same cutoffs",
    )  # fmt: skip


def _discoveries(report: Report) -> list[str]:
    """How many of all the comparisons with no-change are more than luck (Benjamini & Yekutieli, 2001)."""
    import numpy as np

    from cbi_common.timeseries.significance import false_discovery_adjusted

    compared = [
        (f"{model.model_id} {model.horizon}", model.metrics.dm_p)
        for model in report.models
        if model.family != VOLATILITY and model.metrics and model.metrics.dm_p is not None
    ]
    if not compared:
        return []
    adjusted = false_discovery_adjusted(np.array([p for _, p in compared]))
    kept = [name for (name, _), p in zip(compared, adjusted, strict=True) if p < FALSE_DISCOVERIES]
    lucky = sum(p < SIGNIFICANCE for _, p in compared)
    return [
        f"* p < {SIGNIFICANCE} against no-change (Diebold-Mariano, one-sided): {lucky} of {len(compared)} comparisons; "
        f"after a false-discovery correction at {FALSE_DISCOVERIES:.0%}: {', '.join(kept) or 'none'}"
    ]


def _doubts(report: Report) -> list[str]:
    return [f"TOO GOOD TO BE BELIEVED: {name}: {'; '.join(reasons)}" for name, reasons in report.suspect.items()]


def _repeats(report: Report) -> list[str]:
    return [
        f"{horizon}: one opinion, one vote: {', '.join(group)}"
        for horizon, groups in report.duplicates.items()
        for group in groups
    ]


def _skill(model: ModelReport | None) -> float | None:
    return model.metrics.skill if model and model.metrics else None


def _cell(model: ModelReport | None) -> str:
    if model is None:
        return ""
    if model.metrics is None:
        return model.status
    star = "*" if model.metrics.dm_p is not None and model.metrics.dm_p < SIGNIFICANCE else ""
    return percent(_skill(model), signed=True) + star


def _fit_seconds(models: Iterable[ModelReport]) -> str:
    known = [model.fit_seconds for model in models if model.fit_seconds is not None]
    return number(sum(known), 1) if known else UNKNOWN


def _yardstick(report: Report, chosen: Sequence[Horizon]) -> str:
    parts = []
    for horizon in chosen:
        known = [
            m.metrics.no_change_mape
            for m in report.models
            if m.horizon == horizon and m.metrics and m.metrics.no_change_mape is not None
        ]
        if known:
            effective = [
                m.metrics.n_effective for m in report.models if m.horizon == horizon and m.metrics and m.metrics.mape
            ]
            parts.append(f"{horizon} {percent(known[0])} on {number(max(effective), 0)} independent windows")
    return f"MAPE of no-change: {', '.join(parts)}" if parts else ""
