"""What a replay lived through: one entry per step, and how its forecasts did."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from cbi_common.core.horizon import Horizon
from cbi_common.events.base import Contract
from cbi_common.events.manifest import Profile, Refit
from cbi_common.events.monitoring import DriftDetected, ValidationCompleted
from cbi_common.reporting.projection import Run
from cbi_common.reporting.report import ForecastReport, build_report, in_order
from cbi_common.reporting.tables import Table, columns, number, percent

_PARTS = ("all", "regime")


class Retrain(Contract):
    """A pass that a drift led to."""

    request_id: str
    caused_by: str
    """Id of the ``drift.detected``."""
    what: str
    run_id: str | None
    forecasts: dict[Horizon, ForecastReport]


class Step(Contract):
    """One day of the replay; its forecasts are those that were issued, before any retrain."""

    session: date
    """Day that was asked for."""
    as_of: date | None
    """Last day that the data have up to it."""
    request_id: str
    run_id: str | None
    regime: str | None
    forecasts: dict[Horizon, ForecastReport]
    rejected: str | None = None
    drifts: tuple[DriftDetected, ...] = ()
    retrains: tuple[Retrain, ...] = ()
    alerts: tuple[str, ...] = ()
    refits: tuple[Refit, ...] = ()
    """Refits off the grid that the pass was made with: ``cbi run --refits`` takes them."""
    wall_s: float | None = None
    """None: made by an earlier start of the same replay."""


class Replayed(Contract):
    """A whole replay."""

    market: str
    warehouse: str
    simulated: bool | None
    profile: Profile
    unit: str | None
    every: str
    steps: tuple[Step, ...]
    validations: dict[str, ValidationCompleted]
    """``issued`` and ``walk_forward``, as of the last step."""
    wall_s: float


def step_of(session: date, run: Run, retrains: Sequence[Run], refits: tuple[Refit, ...], wall_s: float | None) -> Step:
    """Return the entry of one step from the events of its passes."""
    report = build_report(run)
    drifts = [event.data for part in (run, *retrains) for event in part.of(DriftDetected)]
    return Step(
        session=session,
        as_of=report.as_of,
        request_id=run.correlation_id,
        run_id=report.run_id,
        regime=report.regime.state if report.regime else None,
        forecasts=report.forecasts,
        rejected=None if report.rejected is None else report.rejected.message,
        drifts=tuple(drifts),
        retrains=tuple(_retrain(again) for again in retrains),
        alerts=report.alerts,
        refits=refits,
        wall_s=wall_s,
    )


def _retrain(run: Run) -> Retrain:
    report = build_report(run)
    request = run.events[0]
    return Retrain(
        request_id=request.id,
        caused_by=request.causationid or "",
        what=run.request.reason if run.request else "",
        run_id=report.run_id,
        forecasts=report.forecasts,
    )


def step_line(step: Step, unit: str | None) -> str:
    """Return a step in one line.

    The price, the regime, what was said for every horizon, and what was noticed.
    """
    if step.rejected is not None:
        return f"{step.session}  rejected: {step.rejected}"
    first = next(iter(in_order(step.forecasts).values()), None)
    said = "  ".join(
        f"{horizon} {percent(f.point / f.current - 1, signed=True)} {f.signal}"
        for horizon, f in in_order(step.forecasts).items()
    )
    price = "no forecast" if first is None else f"{number(first.current)} {unit or ''}".rstrip()
    noticed = [f"{drift.kind} drift" for drift in step.drifts] + [f"retrained ({r.what})" for r in step.retrains]
    return "  ".join([f"{step.as_of}", price, f"{step.regime or '–':6}", said, *noticed]).rstrip()


def scores(replayed: Replayed, source: str) -> Table:
    """Return how the forecasts did, per horizon and regime.

    Parameters
    ----------
    replayed : Replayed
    source : {"issued", "walk_forward"}
        Forecasts that the replay issued and that have matured, or all that it would have served at past cutoffs.
    """
    found = replayed.validations.get(source)
    mark = " · SIMULATED" if replayed.simulated else ""
    what = {"issued": "Forecasts that were issued", "walk_forward": "Forecasts as served at past cutoffs"}[source]
    lines = [
        (
            str(horizon), part.value, str(part.metrics.n), number(part.metrics.n_effective, 0),
            percent(part.metrics.mape), percent(part.metrics.no_change_mape), percent(part.metrics.skill, signed=True),
            percent(part.coverage_90, digits=0),
        )
        for horizon, parts in (in_order(found.horizons) if found else {}).items()
        for part in parts
        if part.by in _PARTS
    ]  # fmt: skip
    matured = {line[0] for line in lines}
    absent = [str(horizon) for horizon in Horizon if str(horizon) not in matured]
    return Table(
        title=f"{what} · {replayed.market.upper()} · {replayed.profile}{mark}",
        columns=columns("<horizon", "<regime", "n", "n eff", "MAPE", "no-change", "skill", "coverage"),
        rows=tuple(lines),
        note=f"nothing has matured yet at {', '.join(absent)}" if absent else "",
    )
