"""Track record: what was forecast and what came, next to assuming no change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from cbi_common.core.errors import IncompleteError
from cbi_common.core.horizon import Horizon
from cbi_common.events.base import Envelope
from cbi_common.events.monitoring import Slice, ValidationCompleted
from cbi_common.markets.units import UnitName
from cbi_common.reporting.projection import Run
from cbi_common.reporting.tables import number, percent
from dashboard.domain import development
from dashboard.domain.charts import series
from dashboard.domain.charts.frame import Cells, Figure
from dashboard.domain.known import Known
from dashboard.domain.money import Money
from dashboard.domain.pages.chrome import Choice, Chrome, Traced, chrome, source_of
from dashboard.domain.pages.grid import Grid, Row, grid
from dashboard.domain.pages.why import horizons
from dashboard.domain.track import Track, Tracks

_SHOWN = timedelta(days=5 * 365)
_LATEST = 12
_PARTS = {
    "all": "All",
    "regime": "By the state of the market at the forecast",
    "move": "By how far the price moved",
    "era": "By era",
    "driver": "By what had moved most in the month before",
}


@dataclass(frozen=True)
class RecordPage:
    """Everything the template shows."""

    chrome: Chrome
    empty: str
    horizons: tuple[Choice, ...]
    name: str
    summary: Grid | None
    chart: Figure | None
    slices: tuple[Grid, ...]
    latest: Grid | None
    issued: Grid | None
    csv: str


def compose(
    known: Known, now: datetime, horizon: Horizon, tracks: Tracks | None, unit: UnitName = "market"
) -> RecordPage:
    """Return the page of one horizon as it reads at ``now``; without tracks it has no chart."""
    links = horizons("/track", horizon)
    try:
        found = development.validation(known.runs, "walk_forward", now.date())
    except IncompleteError as error:
        frame = chrome("track", "Track record", known, None)
        return RecordPage(frame, error.line(), links, horizon.words, None, None, (), None, None, "")
    frame = chrome("track", "Track record", known, found.origin, unit)
    run = known.runs.get(found.origin.request_id)
    assert run is not None
    track = tracks.get(horizon) if tracks else None
    event = run.validations["walk_forward"]
    return RecordPage(
        chrome=frame,
        empty="",
        horizons=links,
        name=horizon.words,
        summary=_summary(run, event),
        chart=_chart(track, frame.money, found.origin.as_of) if track else None,
        slices=_slices(event.data.horizons.get(horizon, ()), source_of(run, event)),
        latest=_latest(track, frame.money, run) if track else None,
        issued=_issued(run),
        csv=f"/api/track/{horizon}.csv",
    )


def _figures(part: Slice, source: str) -> tuple[Traced, ...]:
    m = part.metrics
    told = (
        str(m.n), number(m.n_effective, 0), percent(m.mape), percent(m.no_change_mape), percent(m.skill, signed=True),
        number(m.dm_p), percent(m.directional_accuracy, digits=0), percent(part.coverage_90, digits=0),
    )  # fmt: skip
    return tuple(Traced(text, source) for text in told)


_COLUMNS = ("?n", "?independent", "MAPE", "?of no-change", "skill", "?p", "?direction", "band held")


def _summary(run: Run, event: Envelope[ValidationCompleted]) -> Grid:
    return grid(
        "Forecasts as they would have been served at past dates, with what was known then",
        ("<Horizon", *_COLUMNS),
        _overall(run, event),
        "skill: 1 − MAE ÷ MAE of “tomorrow is like today” on the same dates, above 0 is better; p: the chance of such "
        "a lead by luck; band held: how often the price ended inside the 90 % band.",
    )


def _overall(run: Run, event: Envelope[ValidationCompleted]) -> list[Row]:
    source = source_of(run, event)
    return [
        (h.words, *_figures(part, source))
        for h in Horizon
        for part in event.data.horizons.get(h, ())
        if part.by == "all"
    ]


def _slices(parts: tuple[Slice, ...], source: str) -> tuple[Grid, ...]:
    found = []
    for by, caption in _PARTS.items():
        rows: list[Row] = [(part.value, *_figures(part, source)) for part in parts if part.by == by]
        if rows and by != "all":
            found.append(grid(caption, ("<Part", *_COLUMNS), rows))
    return tuple(found)


def _chart(track: Track, money: Money, as_of: date) -> Figure | None:
    rows = list(track.matured(as_of - _SHOWN))
    if len(rows) < 2:
        return None
    days = [track.targets[i] for i in rows]

    def told(values: tuple[float, ...]) -> list[float]:
        return [values[i] * money.factor for i in rows]

    inside = [i for i in rows if track.lower[i] <= track.actual[i] <= track.upper[i]]
    banded = [i for i in rows if track.lower[i] == track.lower[i]]
    caption = (
        f"What was forecast for each day and the price that came, in {money.label}, {days[0]} to {days[-1]}. "
        f"{len(inside)} of {len(banded)} prices ended inside their 90 % band."
    )
    plot = series.Plot(
        lines=(
            series.Line("forecast", "forecast for that day", days, told(track.forecast)),
            series.Line("actual", "price that came", days, told(track.actual)),
        ),
        areas=(series.Area("band90", "90 % band", days, told(track.lower), told(track.upper)),),
    )
    return series.figure("record", "Forecast and outcome", caption, plot, _cells(track, rows[-_LATEST:], money))


def _cells(track: Track, rows: list[int], money: Money) -> Cells:
    return Cells(
        ("For", "Made on", "Forecast", "90 % band", "Came", "Error"),
        tuple(
            (
                track.targets[i].isoformat(), track.cutoffs[i].isoformat(), money.price(track.forecast[i]),
                f"{money.price(track.lower[i])} to {money.price(track.upper[i])}", money.price(track.actual[i]),
                percent(track.forecast[i] / track.actual[i] - 1, signed=True),
            )
            for i in reversed(rows)
        ),
    )  # fmt: skip


def _latest(track: Track, money: Money, run: Run) -> Grid:
    assert run.forecast is not None
    source = source_of(run, run.forecast)
    cells = _cells(track, list(track.matured(date.min))[-_LATEST:], money)
    rows: list[Row] = [(row[0], row[1], *(Traced(cell, source) for cell in row[2:])) for row in cells.rows]
    names = ("<For", "<Made on", "Forecast", "?90 % band", "Came", "Error")
    return grid("The latest forecasts whose day has come", names, rows)


def _issued(run: Run) -> Grid | None:
    event = run.validations.get("issued")
    if event is None:
        return None
    rows = _overall(run, event)
    return grid("Forecasts that were really published", ("<Horizon", *_COLUMNS), rows) if rows else None
