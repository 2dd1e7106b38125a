"""Book, advice and savings: no order is more than is lacking, and the rule is the one that was backtested."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cbi_common.core.errors import IncompleteError
from cbi_common.procurement.advice import advise
from cbi_common.procurement.book import Book, Entry
from cbi_common.procurement.market import Market, Terms
from cbi_common.procurement.month import later, month_of, months_between
from cbi_common.procurement.purchase import Purchase
from cbi_common.procurement.purchases import buy
from cbi_common.procurement.savings import savings
from cbi_common.procurement.shares import shares

LOT = 60_000.0
ACTIONS = ("BUY", "WAIT", "MONITOR")


def entry(month: str, quantity: float, price: float = 50.0, bought: str = "2025-01-15", answers: str = "") -> Entry:
    purchase = Purchase(month=month, quantity=quantity, price=price, basis=0.5, bought=date.fromisoformat(bought))
    return Entry(f"r-{month}-{price}", purchase, "chris", answers)


@given(st.integers(1950, 2090), st.integers(1, 12), st.integers(-600, 600))
def test_months_add_up(year: int, month: int, distance: int) -> None:
    first = month_of(date(year, month, 17))
    assert months_between(first, later(first, distance)) == distance
    assert later(later(first, distance), -distance) == first


@pytest.mark.parametrize(("action", "sums"), [("BUY", 7.0), ("WAIT", 1.0), ("MONITOR", 4.0)])
def test_the_policy_covers_all_nothing_or_the_ladder(action: str, sums: float) -> None:
    assert sum(shares(action, 6)) == pytest.approx(sums)  # type: ignore[arg-type]


@given(
    action=st.sampled_from(ACTIONS),
    cover=st.integers(1, 12),
    need=st.floats(0, 3e6),
    held=st.lists(st.floats(1, 2e6), min_size=13, max_size=13),
)
@settings(deadline=None)
def test_no_order_is_larger_than_what_a_month_lacks_and_all_but_the_first_are_lots(
    action: str, cover: int, need: float, held: list[float]
) -> None:
    book = Book({"2025-01": need}, tuple(entry(later("2025-05", i), pounds) for i, pounds in enumerate(held)))
    found = advise(book, "2025-05", action, cover, LOT)  # type: ignore[arg-type]
    assert len(found.months) == cover + 1
    for ahead, month in enumerate(found.months):
        assert 0 <= month.order <= month.uncovered
        assert ahead == 0 or month.order % LOT == pytest.approx(0)
        assert month.bought + month.order <= max(month.bought, need * month.share) + 1e-6
    again = Book(book.needs, (*book.entries, *(entry(m, q) for m, q in found.orders.items() if q >= 1)))
    assert advise(again, "2025-05", action, cover, LOT).quantity < 1 + 1e-6  # type: ignore[arg-type]


@pytest.mark.parametrize("action", ACTIONS)
def test_from_an_empty_book_the_advice_is_what_the_backtest_buys(action: str) -> None:
    cover, need = 6, 600_000.0
    terms = Terms(need=need, cover=cover, lot=LOT)
    months = np.arange(-cover, cover + 1)  # one decision a month, the last one in the month of the advice
    market = Market(
        sessions=months * 21, close=np.full(13, 50.0), fill=np.full(13, 50.0), month=months,
        due=np.arange(cover, 13, dtype=np.int64), rolled=np.zeros(13, dtype=bool),
    )  # fmt: skip
    wanted = np.zeros((13, cover + 1))
    wanted[:, 0] = 1.0
    wanted[cover] = shares(action, cover)  # type: ignore[arg-type]
    simulated = buy(market, terms, wanted)[:, cover]
    advised = advise(Book({"2025-01": need}), "2025-05", action, cover, LOT)  # type: ignore[arg-type]
    np.testing.assert_allclose(simulated, [month.order for month in advised.months])


def test_nobody_guesses_a_need() -> None:
    with pytest.raises(IncompleteError, match="how much is needed"):
        advise(Book({"2025-08": 1.0}), "2025-05", "MONITOR", 6, LOT)


def test_the_latest_need_holds_from_its_month_on() -> None:
    book = Book({"2025-01": 5.0, "2025-06": 7.0})
    assert [book.need(m) for m in ("2024-12", "2025-01", "2025-05", "2025-06", "2026-01")] == [None, 5.0, 5.0, 7.0, 7.0]


def test_savings_are_against_the_price_when_the_month_began_less_carry() -> None:
    book = Book(entries=(
        entry("2025-03", 100, 48.0), entry("2025-03", 50, 53.0, answers="accept"), entry("2025-09", 10),
    ))  # fmt: skip
    found = savings(book, {"2025-03": 52.0}, carry=0.25)
    assert [s.saved for s in found.known] == pytest.approx([52 - 48 - 0.5, 52 - 53 - 0.5])
    assert found.amount() == pytest.approx(350 - 75)
    assert found.amount("accept") == pytest.approx(-75)
    assert found.fraction() == pytest.approx(275 / (52.5 * 150))
    assert found.fraction("override") is None
    assert [e.purchase.month for e in found.open] == ["2025-09"]


def test_buying_each_month_at_its_first_price_saves_nothing() -> None:
    spot = {"2025-03": 52.0, "2025-04": 47.0}
    book = Book(entries=tuple(entry(m, 100, p, f"{m}-03") for m, p in spot.items()))
    assert savings(book, spot, carry=3.0).amount() == 0.0
