"""Why: what moves the forecast of a horizon, in the unit of the price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from cbi_common.core.errors import IncompleteError
from cbi_common.core.horizon import Horizon
from cbi_common.events.explanation import HorizonExplanation
from cbi_common.markets.units import UnitName
from cbi_common.reporting.projection import Run, Runs
from cbi_common.reporting.tables import UNKNOWN, number, percent
from dashboard.domain import development
from dashboard.domain.charts import series
from dashboard.domain.charts.frame import Cells, Figure
from dashboard.domain.charts.waterfall import Share, waterfall
from dashboard.domain.known import Known
from dashboard.domain.money import Money
from dashboard.domain.pages.chrome import Choice, Chrome, Traced, chrome, source_of
from dashboard.domain.pages.grid import Grid, grid
from dashboard.domain.pages.whatif import WhatIf, sentence

FACTORS = {"china": "China", "weather": "Harvest and weather", "biofuels": "Biofuel", "palm": "Palm oil"}
"""What the buyer watches, whatever their share."""
_PAST_RUNS = 60
_LINES = 5
_DRIVERS = 15
_STEPS = 10
_REST = "all other groups"
_SEEN = 0.005
"""Less than this is written as 0.00."""
_NAMED = {"price_history": "price history", "expectation": "usual drift"}


class Factor(NamedTuple):
    """One of the buyer's own factors."""

    name: str
    share: Traced


NOT_ASKED = WhatIf()


@dataclass(frozen=True)
class Why:
    """Everything the template shows."""

    chrome: Chrome
    empty: str
    horizons: tuple[Choice, ...]
    name: str
    sentences: tuple[str, ...]
    factors: tuple[Factor, ...]
    waterfall: Figure | None
    history: Figure | None
    groups: Grid | None
    drivers: Grid | None
    signs: Grid | None
    horizon: Horizon
    asked: WhatIf
    answer: str


class Past(NamedTuple):
    """Attributions of an earlier forecast."""

    as_of: date
    groups: dict[str, float]


def horizons(path: str, chosen: Horizon, extra: str = "") -> tuple[Choice, ...]:
    """Return the links that choose a horizon of a page."""
    return tuple(Choice(h.words, f"{path}?horizon={h}{extra}", h == chosen) for h in Horizon)


def compose(known: Known, now: datetime, horizon: Horizon, unit: UnitName = "market", asked: WhatIf = NOT_ASKED) -> Why:
    """Return the page of one horizon as it reads at ``now``, with the answer to what was asked."""
    links = horizons("/why", horizon)
    try:
        found = development.explanation(known.runs, horizon, now.date())
    except IncompleteError as error:
        frame = chrome("why", "Why", known, None)
        return Why(frame, error.line(), links, horizon.words, (), (), None, None, None, None, None, horizon, asked, "")
    frame = chrome("why", "Why", known, found.origin, unit)
    run = known.runs.get(found.origin.request_id)
    assert run is not None
    assert run.explanation is not None
    money, source, e = frame.money, source_of(run, run.explanation), found.explanation
    return Why(
        chrome=frame,
        empty="",
        horizons=links,
        name=horizon.words,
        sentences=e.why,
        factors=tuple(
            Factor(name, Traced(f"{money.price(e.groups[key], signed=True)} {money.label}", source))
            if key in e.groups
            else Factor(name, Traced("says nothing", ""))
            for key, name in FACTORS.items()
        ),
        waterfall=_waterfall(e, money, horizon),
        history=_history(_past(known.runs, run, horizon), money),
        groups=_groups(e, money, source),
        drivers=_drivers(e, money, source),
        signs=_signs(e, source),
        horizon=horizon,
        asked=asked,
        answer="" if asked.found is None else sentence(asked.found, money),
    )


def _said(group: str) -> str:
    return _NAMED.get(group, group.replace("_", " "))


def _ranked(shares: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(shares.items(), key=lambda item: (-abs(item[1]), item[0]))


def _waterfall(e: HorizonExplanation, money: Money, horizon: Horizon) -> Figure:
    ranked = _ranked(e.groups)
    rest = sum(value for _, value in ranked[_STEPS:]) + e.residual
    shares = [Share(_said(name), value * money.factor) for name, value in ranked[:_STEPS]]
    if abs(rest) >= _SEEN:
        shares.append(Share(_REST, rest * money.factor))
    caption = (
        f"From the price of today, {money.price(e.baseline)} {money.label}, to the forecast in {horizon.words}, "
        f"{money.price(e.forecast)}: what each group of drivers adds or takes away."
    )
    begin, end = Share("today", e.baseline * money.factor), Share("forecast", e.forecast * money.factor)

    def say(value: float) -> str:
        return f"{value:+,.{money.digits}f}"

    return waterfall("waterfall", "From today's price to the forecast", caption, begin, shares, end, say)


def _past(runs: Runs, shown: Run, horizon: Horizon) -> list[Past]:
    """Return the attributions of every day that has some, the newest pass of each day counting, oldest first."""
    market = shown.explanation.data.market if shown.explanation else ""
    by_day: dict[date, dict[str, float]] = {}
    for run in runs.all():
        event = run.explanation
        if event is not None and event.data.market == market and horizon in event.data.explanations:
            by_day[event.data.as_of] = event.data.explanations[horizon].groups
    return [Past(day, by_day[day]) for day in sorted(by_day)][-_PAST_RUNS:]


def _history(past: Sequence[Past], money: Money) -> Figure | None:
    if len(past) < 2:
        return None
    names = {name for entry in past for name in entry.groups}
    mean = {name: sum(abs(entry.groups.get(name, 0.0)) for entry in past) / len(past) for name in names}
    top = [name for name, _ in _ranked(mean)[:_LINES]]
    days = [entry.as_of for entry in past]
    lines = [
        series.Line(f"g{i}", _said(name), days, [entry.groups.get(name, 0.0) * money.factor for entry in past])
        for i, name in enumerate(top, 1)
    ]
    caption = (
        f"What the {len(top)} groups that mattered most added to the forecast, in {money.label}, in the "
        f"{len(past)} forecasts from {days[0]} to {days[-1]}."
    )
    rows = tuple(
        (entry.as_of.isoformat(), *(money.price(entry.groups.get(name, 0.0), signed=True) for name in top))
        for entry in reversed(past)
    )
    cells = Cells(("Data to", *map(_said, top)), rows)
    return series.figure("history", "How the reasons have changed", caption, series.Plot(lines, zero=True), cells)


def _groups(e: HorizonExplanation, money: Money, source: str) -> Grid:
    recent = e.shift.recent if e.shift else {}
    move = e.forecast - e.baseline
    rows = [
        (
            _said(name), Traced(money.price(value, signed=True), source),
            Traced(percent(value / move, digits=0, signed=True) if abs(move) >= 0.01 else UNKNOWN, source),
            Traced(percent(e.importance.get(name), digits=0), source),
            Traced(percent(recent.get(name), digits=0), source),
        )
        for name, value in _ranked(e.groups)
    ]  # fmt: skip
    note = (
        ""
        if e.driver_coverage is None
        else (
            f"Named drivers account for {percent(e.driver_coverage, digits=0)} of what moved {e.n_past} past forecasts."
        )
    )
    names = ("<Group", money.label, "share of the move", "?share of past moves", "?last year")
    return grid("Groups of drivers, largest first", names, rows, note)


def _drivers(e: HorizonExplanation, money: Money, source: str) -> Grid:
    rows = [
        (name, Traced(money.price(value, signed=True), source))
        for name, value in _ranked(e.drivers)[:_DRIVERS]
        if value
    ]
    return grid(f"The {len(rows)} largest single drivers", ("<Driver", money.label), rows)


def _signs(e: HorizonExplanation, source: str) -> Grid | None:
    if not e.signs:
        return None
    words = {True: "as expected", False: "against it", None: "silent"}
    rows = [
        (name, "up" if s.expected > 0 else "down", Traced(number(s.found, signed=True), source), words[s.agrees])
        for name, s in sorted(e.signs.items())
    ]
    names = ("<Driver", "<more of it should push", "found", "<verdict")
    note = "found: rank correlation of the driver with what it added to past forecasts"
    return grid("Do the drivers push as economics says?", names, rows, note)
