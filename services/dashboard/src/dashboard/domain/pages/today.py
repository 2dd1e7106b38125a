"""Today: what to do at each horizon, what is expected, how sure it is, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup

from cbi_common.core.errors import IncompleteError
from cbi_common.core.horizon import Horizon
from cbi_common.events.explanation import HorizonExplanation
from cbi_common.events.forecast import HorizonForecast
from cbi_common.events.monitoring import AlertRaised
from cbi_common.markets.units import UnitName
from cbi_common.reporting.projection import Run
from cbi_common.reporting.tables import chance, number, percent
from dashboard.domain import view
from dashboard.domain.answers import Prediction, RegimeAnswer
from dashboard.domain.charts import bars, series
from dashboard.domain.charts.frame import Cells, Figure, Key
from dashboard.domain.edge import PROVEN, has_edge
from dashboard.domain.known import Known
from dashboard.domain.money import Money
from dashboard.domain.pages.chrome import Chrome, Traced, chrome, source_of
from dashboard.domain.track import Tracks

_TOP_GROUPS = 3
_SHOWN_ALERTS = 5
_PAST = timedelta(days=550)
_SAME = 0.002
"""A band edge this close to the price is told as no move."""


@dataclass(frozen=True)
class Card:
    """One horizon."""

    horizon: Horizon
    name: str
    target_date: str
    signal: str
    advice: str
    point: Traced
    move: str
    lower: str
    upper: str
    at_risk: str
    """How much more the price may be by then, at the upper end of the band."""
    band: Markup
    edge: bool
    verdict: str
    skill: Traced
    coverage: str
    why: tuple[str, ...]
    why_path: str
    note: str


@dataclass(frozen=True)
class Alert:
    """What asks for attention."""

    time: str
    severity: str
    text: str


@dataclass(frozen=True)
class Today:
    """Everything the template shows."""

    chrome: Chrome
    empty: str
    """Why there is nothing to show."""
    headline: str
    current: Traced
    cards: tuple[Card, ...]
    missing: tuple[tuple[str, str], ...]
    regime: RegimeAnswer | None
    fan: Figure | None
    no_fan: str
    alerts: tuple[Alert, ...]
    order: str
    """How much to buy, in a sentence."""


def compose(
    known: Known,
    now: datetime,
    tracks: Tracks | None = None,
    unit: UnitName = "market",
    no_fan: str = "",
    order: str = "",
) -> Today:
    """Return the page as it reads at ``now``.

    Parameters
    ----------
    known : Known
    now : datetime
    tracks : mapping, optional
        Of the forecast that is shown: past prices for the chart.
    unit : str
        What prices are told in.
    no_fan : str
        Why there are no tracks.
    order : str
        How much to buy, in a sentence.
    """
    runs, today = known.runs, now.date()
    try:
        found = view.predictions(runs, today)
    except IncompleteError as error:
        frame = chrome("today", "Today", known, None)
        return Today(frame, error.line(), "", Traced("", ""), (), (), None, None, "", attention(known), "")
    run = view.forecast_run(runs)
    frame = chrome("today", "Today", known, found.origin, unit)
    explained = run.explanation.data.explanations if run.explanation else {}
    bands = _bands(found.predictions)
    assert run.forecast is not None
    source = source_of(run, run.forecast)
    shown = found.predictions
    return Today(
        chrome=frame,
        empty="",
        headline=headline(shown),
        current=Traced(frame.money.price(shown[0].current) if shown else "", source),
        cards=tuple(_card(p, bands[p.horizon], explained.get(p.horizon), frame.money, run, source) for p in shown),
        missing=tuple((horizon.words, why) for horizon, why in found.missing.items()),
        regime=view.regime(runs, today) if run.regime else None,
        fan=fan(run, tracks, frame.money) if tracks and shown else None,
        no_fan=no_fan,
        alerts=attention(known),
        order=order,
    )


def headline(shown: tuple[Prediction, ...]) -> str:
    """Return the page in a sentence: what to do, from the horizons that have shown an edge."""
    proven = [p for p in shown if has_edge(p)]
    if not proven:
        return "No forecast edge at any horizon: buy by your cover policy and budget, not by the direction."
    parts = [f"{p.signal} at {p.horizon.words}" for p in proven]
    others = "" if len(proven) == len(shown) else " The other horizons have no forecast edge."
    return f"{', '.join(parts)}.{others}"


def advice(p: Prediction) -> str:
    """Return the signal in a buyer's words."""
    move = percent(p.point / p.current - 1, signed=True)
    sure = f"{chance(p.probability_up)} likely to rise"
    if p.signal == "BUY":
        return f"Buy now rather than later: {move} expected, {sure}."
    if p.signal == "WAIT":
        return f"Wait: {move} expected, {sure}."
    return f"No clear move: {move} expected, {sure}."


def verdict(p: Prediction) -> str:
    """Return in words what past forecasts like this one were worth against no-change."""
    if p.skill is None:
        return "not scored yet"
    if p.skill <= 0:
        return "no better than assuming no change"
    if p.dm_p is None:
        return f"too few independent periods to tell ({p.n_effective:.0f})"
    if p.dm_p < PROVEN:
        return f"better than no change (p = {p.dm_p:.2f})"
    return f"not proven better than no change (p = {p.dm_p:.2f})"


def fan(run: Run, tracks: Tracks, money: Money) -> Figure:
    """Return the chart of the price so far and of the bands ahead."""
    assert run.forecast is not None
    data = run.forecast.data
    ahead = [(h, data.forecasts[h]) for h in Horizon if h in data.forecasts]
    past = next(iter(tracks.values()))
    kept = [(d, p) for d, p in zip(past.cutoffs, past.price, strict=True) if d >= data.as_of - _PAST]
    current = ahead[0][1].current
    days = [data.as_of, *(f.target_date for _, f in ahead)]

    def told(values: list[float]) -> list[float]:
        return [value * money.factor for value in values]

    def quantile(level: str, fallback: str) -> list[float]:
        return told([current, *(f.quantiles.get(level, getattr(f, fallback)) for _, f in ahead)])

    areas = [series.Area("band90", "90 % band", days, quantile("0.05", "lower_90"), quantile("0.95", "upper_90"))]
    if all({"0.25", "0.75"} <= f.quantiles.keys() for _, f in ahead):
        areas.append(series.Area("band50", "50 % band", days, quantile("0.25", "point"), quantile("0.75", "point")))
    price = series.Line("actual", "price", [d for d, _ in kept], told([p for _, p in kept]))
    middle = series.Line("forecast", "forecast", days, told([current, *(f.point for _, f in ahead)]))
    points = [series.Point("forecast-dot", f.target_date, f.point * money.factor, str(h)) for h, f in ahead]
    last = ahead[-1][1]
    caption = (
        f"Price in {money.label} over the last year and a half, and the forecast from {data.as_of}. Today "
        f"{money.price(current)}; by {last.target_date} expected {money.price(last.point)}, with nine chances in ten "
        f"between {money.price(last.lower_90)} and {money.price(last.upper_90)}."
    )
    return series.figure(
        "fan",
        "Price and forecast",
        caption,
        series.Plot(lines=(price, middle), areas=areas, points=points, keys=(Key("forecast-dot", "horizon"),)),
        _fan_cells(ahead, money),
    )


def attention(known: Known) -> tuple[Alert, ...]:
    """Return the newest open alerts and messages given up."""
    alerts = [(e.time, e.data.severity, _told(e.data)) for e in view.alerts(known.runs)]
    letters = [
        (letter.published, "warning", f"{letter.subject} given up by {letter.consumer}: {letter.reason}")
        for letter in known.given_up
    ]
    newest = sorted([*alerts, *letters], reverse=True)[:_SHOWN_ALERTS]
    return tuple(Alert(f"{time:%Y-%m-%d %H:%M}", severity, text) for time, severity, text in newest)


def _told(alert: AlertRaised) -> str:
    """Return an alert as sentences, who says so last: a buyer reads the beginning."""
    sentences = (f"{part[:1].upper()}{part[1:].rstrip('.')}." for part in (alert.what, alert.hint) if part)
    return f"{' '.join(sentences)} ({alert.source})"


def _card(
    p: Prediction, band: Markup, explanation: HorizonExplanation | None, money: Money, run: Run, source: str
) -> Card:
    scored = run.validations.get("walk_forward")
    return Card(
        horizon=p.horizon, name=p.horizon.words, target_date=p.target_date.isoformat(), signal=p.signal,
        advice=advice(p), point=Traced(money.price(p.point), source),
        move=percent(p.point / p.current - 1, signed=True), lower=money.price(p.lower_90),
        upper=money.price(p.upper_90),
        at_risk=percent(max(p.upper_90 / p.current - 1, 0.0), signed=True, digits=0), band=band, edge=has_edge(p),
        verdict=verdict(p), skill=Traced(percent(p.skill, signed=True), source_of(run, scored) if scored else source),
        coverage=percent(p.coverage_90, digits=0), why=_why(explanation), why_path=f"/why?horizon={p.horizon}",
        note=p.note,
    )  # fmt: skip


def _why(explanation: HorizonExplanation | None) -> tuple[str, ...]:
    if explanation is None:
        return ("Not explained yet.",)
    if explanation.why:
        return explanation.why
    largest = sorted(explanation.groups.items(), key=lambda item: (-abs(item[1]), item[0]))[:_TOP_GROUPS]
    parts = [f"{name.replace('_', ' ')} {number(value, signed=True)}" for name, value in largest if abs(value) >= 0.005]
    return (f"{', '.join(parts)}." if parts else "No driver moves it.",)


def _bands(predictions: tuple[Prediction, ...]) -> dict[Horizon, Markup]:
    if not predictions:
        return {}
    low = min(min(p.lower_90, p.current) for p in predictions)
    span = max(max(p.upper_90, p.current) for p in predictions) - low

    def at(price: float) -> float:
        return (price - low) / span if span > 0 else 0.5

    return {
        p.horizon: bars.band(at(p.lower_90), at(p.upper_90) - at(p.lower_90), at(p.point), at(p.current))
        for p in predictions
    }


def _fan_cells(ahead: list[tuple[Horizon, HorizonForecast]], money: Money) -> Cells:
    rows = tuple(
        (h.words, f.target_date.isoformat(), *(money.price(v) for v in (f.lower_90, f.point, f.upper_90)))
        for h, f in ahead
    )
    return Cells(("By", "Day", "Lower end", "Forecast", "Upper end"), rows)
