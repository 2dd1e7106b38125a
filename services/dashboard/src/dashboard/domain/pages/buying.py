"""What to buy now, and the buyer's log: the two parts of the page Decisions that a person answers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date

from cbi_common.procurement.month import month_of
from cbi_common.reporting.projection import Run
from cbi_common.reporting.tables import UNKNOWN, percent
from dashboard.domain.advised import AdviceAnswer
from dashboard.domain.covered import CoverAnswer, CoverEntry, RealisedSavings
from dashboard.domain.money import Money
from dashboard.domain.pages.chrome import Traced, source_of
from dashboard.domain.pages.grid import Grid, grid
from dashboard.domain.terms import Terms

_REASONS = {
    "BUY": "it expects a rise, so every month within the limit is covered",
    "WAIT": "it expects a fall, so nothing is bought ahead",
    "MONITOR": "it expects no clear move, so the cover of the ladder is kept",
}


@dataclass(frozen=True)
class BuyNow:
    """What to buy, and the fields of the answer."""

    headline: str
    reason: str
    figures: tuple[tuple[str, Traced], ...]
    months: Grid
    run_id: str
    horizon: str
    cover: int
    advised: str
    orders: bool
    price: str
    most: str


@dataclass(frozen=True)
class LogRow:
    """One purchase, and under what it is withdrawn."""

    record: str
    cells: tuple[str, ...]
    together: int
    """How many purchases came with the record."""


@dataclass(frozen=True)
class Log:
    """What was entered so far, and the first values of the forms."""

    savings: str
    by_answer: Grid | None
    rows: tuple[LogRow, ...]
    unit: str
    answers: Grid | None
    needs: tuple[str, ...]
    month: str
    today: str


@dataclass(frozen=True)
class Buying:
    """Both parts, each with the reason where it is missing."""

    now: BuyNow | None
    no_advice: str
    log: Log | None
    no_log: str
    seen: int = 0
    csrf: str = ""
    unit: str = ""
    """What prices are entered in: the market's."""
    actions: bool = False
    """Whether anything can be entered here."""


def buy_now(found: AdviceAnswer, run: Run, money: Money, terms: Terms) -> BuyNow:
    """Return what to buy in the reader's unit."""
    assert run.forecast is not None
    source = source_of(run, run.forecast)
    head = headline(found)
    name = found.horizon.words
    why = (
        f"By the forecast of {name}: {_REASONS[found.action]}."
        if found.edge
        else f"Forecasts of {name} have no edge, so their direction decides nothing: the cover of the ladder is kept."
    )
    figures = (
        ("Price now", f"{money.price(found.price)} {money.label}"),
        (f"Expected by {found.by}", f"{money.price(found.target_price)} {money.label}"),
        ("Order at that price", _dollars(found.cost)),
        ("Uncovered", f"{found.uncovered:,.0f} lb"),
        ("At risk if you wait", _dollars(found.at_risk)),
    )
    rows = [
        (
            m.month, f"{m.need:,.0f}", f"{m.bought:,.0f}", f"{m.uncovered:,.0f}", percent(m.share, digits=0),
            f"{m.order:,.0f}" if m.order else UNKNOWN,
        )
        for m in found.months
    ]  # fmt: skip
    note = f"Lots of {found.lot:,.0f} lb; the running month gets what it lacks." if found.lot else ""
    return BuyNow(
        headline=head,
        reason=why,
        figures=tuple((label, Traced(text, source)) for label, text in figures),
        months=grid("Pounds by month", ("<Month", "need", "?bought", "uncovered", "?to cover", "buy now"), rows, note),
        run_id=found.origin.run_id,
        horizon=str(found.horizon),
        cover=terms.cover,
        advised=f"{found.quantity:.0f}",
        orders=bool(found.orders),
        price=f"{found.price:.2f}",
        most=f"{found.uncovered:.0f}",
    )


def headline(found: AdviceAnswer) -> str:
    """Return the advice in a sentence."""
    if not found.orders:
        return "Buy nothing now: the cover is as it should be."
    lots = "" if found.lots is None else f" ({found.lots:,.3g} lots)"
    first, last = next(iter(found.orders)), list(found.orders)[-1]
    months = f"for {first}" if first == last else f"for {first} to {last}"
    return f"Buy {found.quantity:,.0f} lb now{lots}, {months}."


def log(found: CoverAnswer, money: Money, today: date) -> Log:
    """Return the log in the reader's unit."""
    by = {saving.of: saving for saving in found.savings}
    together = Counter(entry.record for entry in found.entries)
    split = [by[kind] for kind in _KINDS if by[kind].purchases]
    return Log(
        savings=savings(by["all"]),
        by_answer=_split(split) if len(split) > 1 else None,
        rows=tuple(
            LogRow(entry.record, _entry(entry, money), together[entry.record]) for entry in reversed(found.entries)
        ),
        unit=money.label,
        answers=_answers(found) if found.answers else None,
        needs=tuple(f"{quantity:,.0f} lb a month from {since}" for since, quantity in found.needs.items()),
        month=month_of(found.origin.as_of),
        today=today.isoformat(),
    )


_KINDS = {"accept": "advice followed", "override": "advice overridden", "own": "without advice"}


def savings(all_of_it: RealisedSavings) -> str:
    """Return in a sentence what the purchases have saved."""
    if all_of_it.fraction is None:
        return "No month that was bought ahead has begun yet: nothing is known of savings."
    word = "saved" if all_of_it.fraction >= 0 else "cost"
    amount = "" if all_of_it.amount is None else f"{_dollars(abs(all_of_it.amount))}, "
    return (
        f"{all_of_it.purchases} purchase{'s' if all_of_it.purchases != 1 else ''} of months that have begun {word} "
        f"{amount}{percent(abs(all_of_it.fraction))} against buying each month at its first price, carry counted."
    )


def _split(found: list[RealisedSavings]) -> Grid:
    rows = [(_KINDS[s.of], str(s.purchases), _dollars(s.amount), percent(s.fraction, signed=True)) for s in found]
    return grid("Realised savings", ("<Purchases", "number", "saved", "of the cost at spot"), rows)


def _entry(entry: CoverEntry, money: Money) -> tuple[str, ...]:
    how = {"accept": "accepted", "override": "instead of the advice"}.get(entry.answers, "")
    return (
        entry.month, f"{entry.quantity:,.0f}", money.price(entry.price), money.price(entry.basis),
        entry.bought.isoformat(), money.price(entry.spot), money.price(entry.saved, signed=True),
        f"{entry.by}, {how}" if how else entry.by,
    )  # fmt: skip


def _answers(found: CoverAnswer) -> Grid:
    rows = [
        (
            f"{a.time:%Y-%m-%d %H:%M}", a.horizon.words, f"{a.advised:,.0f}", f"{a.bought:,.0f}",
            "accepted" if a.answer == "accept" else f"overridden: {a.reason}", a.by,
        )
        for a in reversed(found.answers)
    ]  # fmt: skip
    return grid(
        "Advice and what was done", ("<When (UTC)", "?<by", "advised, lb", "bought, lb", "<answer", "?<who"), rows
    )


def _dollars(amount: float | None) -> str:
    return UNKNOWN if amount is None else f"{'-' if amount < 0 else ''}${abs(amount):,.0f}"
