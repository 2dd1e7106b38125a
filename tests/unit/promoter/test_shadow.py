"""The shadow notes both forecasts once a day, and says what follows from outcomes that are known."""

from __future__ import annotations

from datetime import date

from cbi_common.core.horizon import Horizon
from cbi_common.events.base import LakeRef
from promoter.domain.shadow import NO_CHANGE, Row, ShadowBook, standings

PACKAGE = LakeRef(key="package/x", sha256="0" * 64, size_bytes=1)
EMPTY = ShadowBook(
    challenger="r1", package=PACKAGE, champion=NO_CHANGE, began=date(2025, 1, 2), horizons=(Horizon.W1, Horizon.M12)
)


def price(session: int) -> float:
    return 50.0 * 1.02 ** (session % 10)


def row(session: int, challenger: float, horizon: Horizon = Horizon.W1) -> Row:
    return Row(horizon=horizon, session=session, price=price(session), champion=0.0, challenger=challenger)


def test_what_was_said_of_a_day_stays() -> None:
    book = EMPTY.with_rows((row(2, 0.01), row(1, 0.02))).with_rows((row(2, 0.5), row(3, 0.0)))
    assert [(r.session, r.challenger) for r in book.rows] == [(1, 0.02), (2, 0.01), (3, 0.0)]


def test_each_horizon_has_its_verdict() -> None:
    prices = {session: price(session) for session in range(120)}
    from math import log

    right = tuple(row(s, log(price(s + 5) / price(s))) for s in range(100))
    week, year = standings(EMPTY.with_rows(right), prices)
    assert (week.verdict, week.matured) == ("promote", 100)
    assert (year.verdict, year.matured) == ("extend", 0)
    assert "years more" in year.detail
    wrong = tuple(row(s, -log(price(s + 5) / price(s))) for s in range(100))
    week, _ = standings(EMPTY.with_rows(wrong), prices)
    assert week.verdict == "keep"
    assert "the champion is closer" in week.detail


def test_outcomes_that_are_not_known_decide_nothing() -> None:
    week, _ = standings(EMPTY.with_rows(tuple(row(s, 0.05) for s in range(100))), {})
    assert (week.verdict, week.matured, week.pairs) == ("extend", 0, 100)
