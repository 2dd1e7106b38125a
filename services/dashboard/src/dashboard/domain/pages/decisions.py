"""Decisions: the budget at risk, and what buying by the forecasts would have cost beside other ways to buy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cbi_common.core.errors import IncompleteError
from cbi_common.core.horizon import Horizon
from cbi_common.markets.units import UnitName
from cbi_common.reporting.tables import number, percent
from dashboard.domain import view
from dashboard.domain.answers import Prediction
from dashboard.domain.bought import BacktestAnswer
from dashboard.domain.edge import has_edge
from dashboard.domain.known import Known
from dashboard.domain.money import Money
from dashboard.domain.pages.buying import Buying
from dashboard.domain.pages.chrome import Chrome, Traced, chrome, source_of
from dashboard.domain.pages.grid import Grid, Row, grid
from dashboard.domain.terms import Terms

WAYS = {
    "spot": "spot, each month",
    "ladder": "six-month ladder",
    "signal": "by our signal",
}


NOTHING = Buying(None, "", None, "")


@dataclass(frozen=True)
class DecisionsPage:
    """Everything the template shows."""

    chrome: Chrome
    empty: str
    buying: Buying
    risk: Grid | None
    terms: Terms
    horizons: tuple[tuple[str, str], ...]
    """Value and name of each, to choose from."""
    headline: str
    backtest: Grid | None
    no_backtest: str


def compose(
    known: Known,
    now: datetime,
    terms: Terms,
    found: BacktestAnswer | None,
    unit: UnitName = "market",
    why: str = "",
    buying: Buying = NOTHING,
) -> DecisionsPage:
    """Return the page as it reads at ``now``.

    Parameters
    ----------
    known : Known
    now : datetime
    terms : Terms
        What the backtest was asked for with.
    found : BacktestAnswer or None
    unit : str
        What prices are told in.
    why : str
        Why there is no backtest.
    buying : Buying
        What to buy now, and the log.
    """
    choices = tuple((str(horizon), horizon.words) for horizon in Horizon)
    try:
        shown = view.predictions(known.runs, now.date())
    except IncompleteError as error:
        frame = chrome("decisions", "Decisions", known, None)
        return DecisionsPage(frame, error.line(), NOTHING, None, terms, choices, "", None, "")
    frame = chrome("decisions", "Decisions", known, shown.origin, unit)
    run = view.forecast_run(known.runs)
    assert run.forecast is not None
    source = source_of(run, run.forecast)
    risk = _risk(shown.predictions, frame.money, source)
    if found is None:
        return DecisionsPage(frame, "", buying, risk, terms, choices, "", None, why)
    return DecisionsPage(
        frame, "", buying, risk, terms, choices, headline(found), _backtest(found, frame.money, source), ""
    )


def headline(found: BacktestAnswer) -> str:
    """Return what the backtest says of the forecasts' signal, in a sentence that claims no more than it shows."""
    signal, spot = found.strategies.get("signal"), found.strategies.get("spot")
    if signal is None or spot is None:
        return ""
    calmer = f"the monthly cost moved by {percent(signal.cost_volatility)} in place of {percent(spot.cost_volatility)}"
    saved = percent(signal.savings_pct, signed=True)
    if signal.savings_ci is None:
        return f"Buying by the signal: {saved} over {found.months} months, too few to tell it from luck; {calmer}."
    low, high = signal.savings_ci
    proof = "more than luck" if low > 0 else "less than nothing" if high < 0 else "which may be luck"
    return f"Buying by the signal would have saved {saved} over {found.months} months, {proof}; {calmer}."


def _risk(predictions: tuple[Prediction, ...], money: Money, source: str) -> Grid:
    rows: list[Row] = [
        (
            p.horizon.words, p.target_date.isoformat(),
            Traced(money.price(p.upper_90 - p.current, signed=True), source),
            Traced(percent(p.upper_90 / p.current - 1, signed=True, digits=0), source),
            Traced(money.price(p.lower_90 - p.current, signed=True), source),
            p.signal if has_edge(p) else "by policy: no forecast edge",
        )
        for p in predictions
    ]  # fmt: skip
    return grid(
        "What waiting may cost, or save: the ends of the 90 % band against the price of today",
        ("<Horizon", "?<by", f"dearer, {money.label}", "dearer", f"cheaper, {money.label}", "<buy"),
        rows,
        "Once in twenty times it comes dearer than that, once in twenty cheaper.",
    )


def _backtest(found: BacktestAnswer, money: Money, source: str) -> Grid:
    def traced(*texts: str) -> tuple[Traced, ...]:
        return tuple(Traced(text, source) for text in texts)

    rows: list[Row] = [
        (
            WAYS.get(name, name.replace("_", " ")),
            *traced(
                money.price(s.average_cost), percent(s.savings_pct, signed=True), _interval(s.savings_ci),
                percent(s.cover_pct, signed=True), percent(s.timing_pct, signed=True), percent(s.cost_volatility),
                percent(s.share_of_ceiling, digits=0), number(s.mean_cover, 1), money.price(s.break_even_carry),
            ),
        )
        for name, s in found.strategies.items()
    ]  # fmt: skip
    ceiling = max((s.ceiling_pct for s in found.strategies.values()), default=0.0)
    return grid(
        f"Ways to buy, over the {found.months} months that past forecasts cover",
        (
            "<Way to buy", f"cost, {money.label}", "saved", "90 % interval", "?by cover", "?by timing",
            "cost moves", "?of ceiling", "?months ahead", "?break-even",
        ),
        rows,
        "saved: against buying each month at the price of the day; by cover: what as much cover saves without any "
        "forecast; by timing: the rest, which is the forecasts' own; break-even: the carry of a month at which nothing "
        "would have been saved.",
        f"The ceiling, which knows the future, would have saved {percent(ceiling)}. Prices are of the front month: "
        "what is bought ahead costs that price and the carry assumed above.",
    )  # fmt: skip


def _interval(ends: tuple[float, float] | None) -> str:
    return "–" if ends is None else f"{percent(ends[0], signed=True)} to {percent(ends[1], signed=True)}"
