"""Whatever prices and forecasts say: nobody beats the ceiling, spot saves nothing, the future decides nothing past."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cbi_common.core.errors import DataError
from cbi_common.procurement.backtest import LEAST_MONTHS, backtest, interval
from cbi_common.procurement.market import Market, Terms, market_of
from cbi_common.procurement.purchases import best, buy, costs
from cbi_common.procurement.strategies import (
    AGGRESSIVE,
    CONSERVATIVE,
    RISK_AVERSE,
    SIGNAL,
    Outlook,
    Policy,
    Strategy,
    action,
    by_forecast,
    ladder,
    spot,
    static,
)

FIRST = 5000
SESSIONS = np.arange(FIRST, FIRST + 756)
CUTOFFS = np.arange(FIRST, FIRST + 750, 5)


def prices(seed: int) -> np.ndarray:
    return 50.0 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.02, len(SESSIONS))))


def market(seed: int, terms: Terms) -> Market:
    return market_of(CUTOFFS, SESSIONS, prices(seed), terms.cover)


def outlook(seed: int, days: int) -> Outlook:
    rng = np.random.default_rng([4, seed])
    move = rng.normal(0, 0.05, days)
    move[rng.random(days) < 0.1] = np.nan
    return Outlook(move, rng.random(days))


def strategies(seed: int, days: int) -> dict[str, Strategy]:
    seen = outlook(seed, days)
    named = {"signal": SIGNAL, "conservative": CONSERVATIVE, "aggressive": AGGRESSIVE, "risk_averse": RISK_AVERSE}
    return {
        "spot": spot,
        "ladder": ladder,
        "static": static(2.5),
        **{n: by_forecast(seen, p) for n, p in named.items()},
    }


TERMS = st.builds(
    Terms,
    need=st.sampled_from([60_000.0, 600_000.0, 777_000.0]),
    carry=st.floats(0, 2),
    cover=st.integers(1, 8),
    lot=st.just(60_000.0),
)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), TERMS)
def test_nobody_beats_the_ceiling_and_every_month_gets_what_it_needs(seed: int, terms: Terms) -> None:
    where = market(seed, terms)
    top = costs(where, terms, best(where, terms))
    for strategy in strategies(seed, len(where.sessions)).values():
        bought = buy(where, terms, strategy(where, terms))
        np.testing.assert_allclose(bought.sum(axis=1), terms.need)
        assert (bought >= 0).all()
        for month in range(where.months):
            window = where.window(month, terms.cover)
            assert bought[month, : window.start].sum() == bought[month, window.stop :].sum() == 0
        assert (costs(where, terms, bought).paid >= top.paid - 1e-9).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(60, 140))
def test_what_was_bought_does_not_depend_on_what_came_after(seed: int, day: int) -> None:
    terms = Terms()
    where = market(seed, terms)
    later = Market(where.sessions, where.close.copy(), where.fill.copy(), where.month, where.due, where.rolled)
    later.fill[day:] *= 3.0
    later.close[day:] *= 3.0
    seen = outlook(seed, len(where.sessions))
    changed = Outlook(seen.move.copy(), None if seen.probability_up is None else seen.probability_up.copy())
    changed.move[day:] = -changed.move[day:]
    for policy in (SIGNAL, AGGRESSIVE):
        before = buy(where, terms, by_forecast(seen, policy)(where, terms))
        after = buy(later, terms, by_forecast(changed, policy)(later, terms))
        np.testing.assert_array_equal(before[:, :day], after[:, :day])


def test_buying_at_spot_saves_nothing_and_pays_the_price_of_the_month() -> None:
    terms = Terms(carry=0.5)
    where = market(1, terms)
    paid = costs(where, terms, buy(where, terms, spot(where, terms)))
    np.testing.assert_allclose(paid.paid, where.fill[where.due])
    assert paid.carry.sum() == 0
    found = backtest(where, terms, {"spot": spot})["spot"]
    assert (found.savings_pct, found.cover_pct, found.timing_pct, found.roi) == (0, 0, 0, None)


def test_the_ceiling_is_the_cheapest_of_all_days_that_would_have_done() -> None:
    terms = Terms(carry=0.3, cover=3)
    where = market(2, terms)
    found = costs(where, terms, best(where, terms))
    for month in range(where.months):
        ways = [
            where.fill[i] + 0.3 * (month - where.month[i])
            for i in range(len(where.sessions))
            if month - 3 <= where.month[i] and i <= where.due[month]
        ]
        assert found.paid[month] == pytest.approx(min(ways))


def test_rising_prices_are_bought_ahead_of_and_falling_ones_waited_for() -> None:
    assert action(0.03, 0.7, SIGNAL) == "BUY"
    assert action(-0.03, 0.3, SIGNAL) == "WAIT"
    assert action(0.03, 0.55, SIGNAL) == action(-0.03, 0.45, SIGNAL) == action(np.nan, 0.9, SIGNAL) == "MONITOR"
    terms = Terms(carry=0.0)
    rising = 50.0 * 1.001 ** np.arange(len(SESSIONS))
    where = market_of(CUTOFFS, SESSIONS, rising, terms.cover)
    up = by_forecast(Outlook(np.full(len(where.sessions), 0.1)), CONSERVATIVE)
    down = by_forecast(Outlook(np.full(len(where.sessions), -0.1)), CONSERVATIVE)
    found = backtest(where, terms, {"up": up, "down": down, "ladder": ladder})
    assert found["up"].savings_pct > found["ladder"].savings_pct > found["down"].savings_pct == 0
    assert found["up"].share_of_ceiling == pytest.approx(1.0)


def test_a_forecast_that_says_nothing_is_the_ladder() -> None:
    terms = Terms()
    where = market(3, terms)
    silent = by_forecast(Outlook(np.full(len(where.sessions), np.nan)), SIGNAL)
    np.testing.assert_array_equal(silent(where, terms), ladder(where, terms))


def test_savings_are_split_into_cover_and_timing() -> None:
    terms = Terms()
    where = market(4, terms)
    found = backtest(where, terms, strategies(4, len(where.sessions)))
    for result in found.values():
        assert result.savings_pct == pytest.approx(result.cover_pct + result.timing_pct)
        assert result.savings_pct <= result.ceiling_pct
    assert abs(found["static"].timing_pct) < 0.01
    assert found["ladder"].cost_volatility < found["spot"].cost_volatility


def test_orders_are_whole_lots_but_for_what_a_month_lacks() -> None:
    terms = Terms(need=130_000.0)
    where = market(5, terms)
    bought = buy(where, terms, ladder(where, terms))
    for month in range(where.months):
        early = bought[month, : where.due[month]]
        np.testing.assert_allclose(early % terms.lot, 0)


def test_an_interval_needs_two_years_and_holds_the_mean() -> None:
    base = 50 + np.random.default_rng(1).normal(0, 5, 60)
    own = base * 0.98
    low, high = interval(base, own)
    assert low == pytest.approx(0.02)
    assert high == pytest.approx(0.02)
    assert interval(base[: LEAST_MONTHS - 1], own[: LEAST_MONTHS - 1]) is None


def test_too_short_a_history_is_an_error() -> None:
    with pytest.raises(DataError, match="too short a history"):
        market_of(CUTOFFS[:10], SESSIONS, prices(1), 6)


def test_a_backtest_above_perfect_foresight_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    terms = Terms()
    where = market(6, terms)

    def cheat(_market: Market, _terms: Terms) -> np.ndarray:
        where.fill[: where.due[0]] = 1e-6  # after the ceiling was found
        return np.ones((len(where.sessions), terms.cover + 1))

    with pytest.raises(DataError, match="cheaper than perfect foresight"):
        backtest(where, terms, {"cheat": cheat})


def test_the_owners_policies_are_the_owners() -> None:
    assert [(p.buy_above, p.wait_below) for p in (CONSERVATIVE, AGGRESSIVE, RISK_AVERSE)] == [
        (0.02, -0.02), (0.01, -0.03), (0.03, -0.01),
    ]  # fmt: skip
    assert Policy(0.02, -0.02, 0.6) == SIGNAL


@given(st.integers(0, 50))
@settings(deadline=None, max_examples=20)
def test_at_its_break_even_carry_a_strategy_saves_nothing(seed: int) -> None:
    terms = Terms(carry=0.3)
    ahead = backtest(market(seed, terms), terms, {"ladder": ladder})["ladder"]
    assert ahead.break_even_carry is not None
    if ahead.break_even_carry >= 0:
        even = Terms(carry=ahead.break_even_carry)
        assert backtest(market(seed, even), even, {"ladder": ladder})["ladder"].savings_pct == pytest.approx(
            0, abs=1e-12
        )
    assert backtest(market(seed, terms), terms, {"spot": spot})["spot"].break_even_carry is None


def test_a_basis_is_paid_on_every_fill_and_what_is_filled_on_roll_days_is_said() -> None:
    terms, price = Terms(), prices(3)
    basis = np.where(SESSIONS < FIRST + 300, 1.0, 2.5)
    rolls = np.isin(SESSIONS % 42, 1)
    plain = market_of(CUTOFFS, SESSIONS, price, terms.cover)
    paid = market_of(CUTOFFS, SESSIONS, price, terms.cover, basis=basis, rolls=rolls)
    place = np.searchsorted(SESSIONS, paid.sessions) + 1
    np.testing.assert_allclose(paid.fill - plain.fill, basis[place])
    assert (paid.rolled == rolls[place]).all()
    found = backtest(paid, terms, {"spot": spot})["spot"]
    bought = paid.rolled[paid.due]
    assert found.rolled == pytest.approx(bought.mean())
    assert backtest(plain, terms, {"spot": spot})["spot"].rolled == 0.0
