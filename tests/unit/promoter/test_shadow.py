"""The shadow notes both forecasts once a day, and says what follows from outcomes that are known."""

from __future__ import annotations

import re
from datetime import date
from math import log

import pytest

from cbi_common.core.horizon import Horizon
from cbi_common.events.base import LakeRef
from promoter.domain.evalues import STAKES
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


def test_rows_are_in_the_order_of_days_and_then_of_length() -> None:
    book = EMPTY.with_rows((row(2, 0.1, Horizon.M12), row(2, 0.2), row(1, 0.3, Horizon.M12)))
    assert [(r.session, r.horizon) for r in book.rows] == [(1, Horizon.M12), (2, Horizon.W1), (2, Horizon.M12)]
    assert (book.challenger, book.champion, book.horizons) == ("r1", NO_CHANGE, EMPTY.horizons)


def test_the_evidence_is_that_of_the_outcomes_of_its_own_horizon() -> None:
    """Two days of the week ahead, one matured; a row of the year must not count among them."""
    rows = (row(0, 0.02), row(1, 0.02), row(1, 0.5, Horizon.M12))
    prices = {5: 50.0 * 1.05}  # the first has come true by ln 1.05, so the challenger was closer by all it could be
    week, _ = standings(EMPTY.with_rows(rows), prices)
    assert (week.horizon, week.pairs, week.matured, week.verdict) == (Horizon.W1, 2, 1, "extend")
    won, lost = (sum(1 + sign * stake for stake in STAKES) / len(STAKES) for sign in (1, -1))
    assert week.e_better == pytest.approx((won + lost + 3) / 5)  # five streams, three without a bet
    assert week.e_worse == pytest.approx((2 * lost + 3) / 5)
    assert week.detail == "cannot be decided yet: even a challenger that is always right needs 50 sessions more"


def test_a_long_horizon_counts_the_wait_in_years() -> None:
    _, year = standings(EMPTY, {})
    assert year.detail == "cannot be decided yet: even a challenger that is always right needs 10 years more"
    none = EMPTY.model_copy(update={"horizons": (Horizon.M1,)})
    (month,) = standings(none, {})
    assert month.detail == "cannot be decided yet: even a challenger that is always right needs 218 sessions more"


def test_what_is_told_of_a_decision() -> None:
    prices = {session: price(session) for session in range(120)}

    def told(sign: float, n: int = 100) -> str:
        rows = tuple(row(s, sign * log(price(s + 5) / price(s))) for s in range(n))
        return standings(EMPTY.with_rows(rows), prices)[0].detail

    assert re.fullmatch(r"closer than the champion: e-value \d+\.\d after 100 outcomes", told(1))
    assert re.fullmatch(r"the champion is closer: e-value \d+\.\d against the challenger after 100 outcomes", told(-1))
    same = standings(EMPTY.with_rows(tuple(row(s, 0.0) for s in range(52))), prices)[0]
    assert same.detail == "e-value 1.00 for and 1.00 against after 52 outcomes; 20 decides"


@pytest.mark.parametrize(
    ("pairs", "wait"),
    [(2361, "251 sessions"), (2360, "1 year"), (2235, "1 year"), (2234, "2 years"), (1600, "4 years")],
)
def test_the_wait_is_told_in_a_readers_unit(pairs: int, wait: str) -> None:
    book = EMPTY.with_rows(tuple(row(s, 0.0, Horizon.M12) for s in range(pairs)))
    _, year = standings(book, {})
    assert year.detail.endswith(f"needs {wait} more")
