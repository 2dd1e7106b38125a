"""Regime: which market this is, since when, how sure that is, and what it changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from cbi_common.core.errors import IncompleteError
from cbi_common.core.horizon import Horizon
from cbi_common.core.regime import Regime
from cbi_common.events.regime import RegimeDetected
from cbi_common.markets.units import UnitName
from cbi_common.reporting.projection import Run
from cbi_common.reporting.tables import UNKNOWN, chance, number, percent
from dashboard.domain import view
from dashboard.domain.charts import series
from dashboard.domain.charts.frame import Cells, Figure, Key
from dashboard.domain.known import Known
from dashboard.domain.money import Money
from dashboard.domain.pages.chrome import Chrome, Traced, chrome, source_of
from dashboard.domain.pages.grid import Grid, Row, grid
from dashboard.domain.track import RegimeHistory, Spell, Tracks, spells

MEANING = {
    Regime.CRISIS: "fear or violent moves: bands widen, and crisis models have a say",
    Regime.BULL: "a steady rise",
    Regime.BEAR: "a fall",
    Regime.NORMAL: "no fear and no trend",
}
_RIBBON = timedelta(days=3 * 365)
_RECENT = timedelta(days=365)
_SPELLS_TOLD = 12


@dataclass(frozen=True)
class RegimePage:
    """Everything the template shows."""

    chrome: Chrome
    empty: str
    state: str
    meaning: str
    since: str
    sure: Traced
    ribbon: Figure | None
    chances: Figure | None
    ahead: Grid | None
    quality: Grid | None
    effect: Grid | None
    no_charts: str = ""


def compose(
    known: Known,
    now: datetime,
    history: RegimeHistory | None = None,
    tracks: Tracks | None = None,
    unit: UnitName = "market",
    no_charts: str = "",
) -> RegimePage:
    """Return the page as it reads at ``now``; without history or tracks it has no charts, and says why."""
    try:
        found = view.regime(known.runs, now.date())
    except IncompleteError as error:
        frame = chrome("regime", "Regime", known, None)
        return RegimePage(frame, error.line(), "", "", "", Traced("", ""), None, None, None, None, None)
    frame = chrome("regime", "Regime", known, found.origin, unit)
    run = known.runs.get(found.origin.request_id)
    assert run is not None
    assert run.regime is not None
    data, source = run.regime.data, source_of(run, run.regime)
    return RegimePage(
        chrome=frame,
        empty="",
        state=str(data.state),
        meaning=MEANING[data.state],
        since=_since(data),
        sure=Traced(chance(data.probabilities[data.state]), source),
        ribbon=_ribbon(history, tracks, frame.money, data.as_of) if history and tracks else None,
        chances=_chances(history, data.as_of) if history else None,
        ahead=_ahead(data, source),
        quality=_quality(data, source),
        effect=_effect(run),
        no_charts=no_charts,
    )


def _since(data: RegimeDetected) -> str:
    if data.since is None or data.sessions_in_state is None:
        return ""
    return f"since {data.since.isoformat()}, {data.sessions_in_state} sessions"


def _ribbon(history: RegimeHistory, tracks: Tracks, money: Money, as_of: date) -> Figure:
    since = as_of - _RIBBON
    track = next(iter(tracks.values()))
    kept = [(d, p * money.factor) for d, p in zip(track.cutoffs, track.price, strict=True) if d >= since]
    found = spells(history, since)
    price = series.Line("actual", "price", [d for d, _ in kept], [p for _, p in kept])
    caption = (
        f"Price in {money.label} since {kept[0][0] if kept else since}; the background says which state the market "
        f"was called to be in, by what was known on each day. It changed {max(len(found) - 1, 0)} times."
    )
    plot = series.Plot(
        lines=(price,),
        spells=[series.Spell(f"r-{s.state}", s.first, s.after) for s in found],
        keys=tuple(Key(f"r-{state}", str(state)) for state in Regime),
    )
    return series.figure("ribbon", "The market's states over its price", caption, plot, _spell_cells(found))


def _spell_cells(found: tuple[Spell, ...]) -> Cells:
    rows = tuple((str(s.state), s.first.isoformat(), s.after.isoformat()) for s in reversed(found[-_SPELLS_TOLD:]))
    return Cells(("State", "From", "To"), rows)


def _chances(history: RegimeHistory, as_of: date) -> Figure:
    rows = [i for i, day in enumerate(history.days) if day >= as_of - _RECENT]
    days = [history.days[i] for i in rows]
    areas, floor = [], [0.0] * len(rows)
    for state, values in history.chances.items():
        top = [low + values[i] for low, i in zip(floor, rows, strict=True)]
        areas.append(series.Area(f"r-{state}", str(state), days, floor, top))
        floor = top
    caption = (
        "Probability of each state over the last year, as it was called on each day; together they fill the height."
    )
    monthly = [i for i, j in zip(rows, [*rows[1:], None], strict=True) if j is None or _month(history, i, j)]
    cells = Cells(
        ("End of month", *map(str, history.chances)),
        tuple(
            (history.days[i].isoformat(), *(percent(v[i], digits=0) for v in history.chances.values()))
            for i in reversed(monthly)
        ),
    )
    plot = series.Plot(areas=areas, label=lambda v: percent(v, digits=0), rim=0.0)
    return series.figure("chances", "How sure it has been", caption, plot, cells)


def _month(history: RegimeHistory, i: int, j: int) -> bool:
    return history.days[i].month != history.days[j].month


def _ahead(data: RegimeDetected, source: str) -> Grid:
    steps = sorted(data.ahead, key=int)
    rows: list[Row] = [
        (
            str(state), Traced(chance(data.probabilities.get(state)), source),
            *(Traced(chance(data.ahead[s].probabilities.get(state)), source) for s in steps),
        )
        for state in Regime
    ]  # fmt: skip
    return grid("Probability of each state", ("<State", "today", *(f"in {s} sessions" for s in steps)), rows)


def _quality(data: RegimeDetected, source: str) -> Grid:
    def row(name: str, value: float | None, beside: float | None) -> tuple[str, Traced, str]:
        return name, Traced(percent(value), source), UNKNOWN if beside is None else percent(beside)

    rows = [row("today's state", data.nowcast_accuracy, None)]
    for step in sorted(data.forward_accuracy, key=int):
        name = f"the state {step} sessions ahead"
        rows.append(row(name, data.forward_accuracy[step], data.persistence_accuracy.get(step)))
    return grid(
        "How often the call was right",
        ("<Call of", "right", "assuming it stays"),
        rows,
        "Today's state follows from prices known today by fixed rules, so calling it is no feat; the states ahead are.",
        f"Changes of state a year: {number(data.switches_per_year, 1)}; scored on {data.n} sessions.",
    )


def _effect(run: Run) -> Grid | None:
    scored = run.validations.get("walk_forward")
    if scored is None:
        return None
    source = source_of(run, scored)
    rows = [
        (
            f"{h.words}, {part.value}", str(part.metrics.n), Traced(percent(part.metrics.mape), source),
            Traced(percent(part.metrics.no_change_mape), source),
            Traced(percent(part.metrics.skill, signed=True), source),
            Traced(percent(part.coverage_90, digits=0), source),
        )
        for h in (Horizon.W1, Horizon.M1, Horizon.M3)
        for part in scored.data.horizons.get(h, ())
        if part.by == "regime"
    ]  # fmt: skip
    names = ("<Horizon, state at the forecast", "?n", "MAPE", "?of no-change", "skill", "band held")
    return grid("What it changes: past forecasts by the state they were made in", names, rows) if rows else None
