"""A table's own targets beside the canonical price, and columns that turn out to be targets."""

from __future__ import annotations

import numpy as np
import pytest

from cbi_common.core.horizon import Horizon
from ingest.domain.targets import PriceAhead, compare_target, foretelling

N = 500
SESSIONS = np.arange(1000, 1000 + N)
PRICE = 50 * np.exp(np.cumsum(np.random.default_rng(4).normal(0, 0.01, N)))
PRICES = PriceAhead(SESSIONS, PRICE)


def ahead(lead: int) -> np.ndarray:
    return np.append(PRICE[lead:], np.full(lead, np.nan))


def test_the_price_is_looked_up_by_session() -> None:
    gappy = PriceAhead(np.array([3, 5]), np.array([1.0, 2.0]))
    assert gappy.at(np.array([2, 3, 4, 5, 6])).tolist() == pytest.approx(
        [np.nan, 1.0, np.nan, 2.0, np.nan], nan_ok=True
    )


@pytest.mark.parametrize("unit", ["price", "return"])
def test_an_honest_target_agrees_everywhere(unit: str) -> None:
    told = ahead(21) if unit == "price" else ahead(21) / PRICE - 1
    found = compare_target(told, SESSIONS, PRICES, Horizon.M1, unit)  # type: ignore[arg-type]
    assert (found.column, found.filled, found.compared, found.share_equal) == ("target_1m", N - 21, N - 21, 1.0)
    assert found.max_deviation == pytest.approx(0, abs=1e-12)
    assert (found.filled_before_outcome, found.frozen_tail) == (0, 0)
    assert (found.nearest_lead_sessions, found.nearest_lead_share) == (21, 1.0)


def test_a_target_that_was_counted_wrongly_is_told_its_real_lead() -> None:
    found = compare_target(ahead(30), SESSIONS, PRICES, Horizon.M1, "price")
    assert found.share_equal is not None
    assert found.share_equal < 0.1
    assert (found.nearest_lead_sessions, found.nearest_lead_share) == (30, 1.0)


def test_a_target_filled_with_one_value_before_its_outcome_is_counted() -> None:
    told = ahead(21)
    told[-50:] = told[-51]
    found = compare_target(told, SESSIONS, PRICES, Horizon.M1, "price")
    assert (found.filled, found.filled_before_outcome, found.frozen_tail) == (N, 21, 51)
    expected = np.abs(told[:-21] / PRICE[21:] - 1)
    assert found.compared == N - 21
    assert found.share_equal == pytest.approx(np.mean(expected <= 1e-3))
    assert found.max_deviation == pytest.approx(expected.max())


def test_a_target_without_values_is_compared_with_nothing() -> None:
    found = compare_target(np.full(N, np.nan), SESSIONS, PRICES, Horizon.W1, "price")
    assert (found.filled, found.compared, found.share_equal, found.max_deviation) == (0, 0, None, None)
    assert (found.frozen_tail, found.nearest_lead_sessions, found.nearest_lead_share) == (0, None, None)


@pytest.mark.parametrize("lead", [1, 5, 7, 30, 252])
@pytest.mark.parametrize("how", ["price", "return", "log return"])
def test_a_later_price_under_another_name_is_found(lead: int, how: str) -> None:
    rng = np.random.default_rng(lead)
    column = {"price": ahead(lead), "return": ahead(lead) / PRICE - 1, "log return": np.log(ahead(lead) / PRICE)}[how]
    column[rng.random(N) < 0.2] *= 1.1
    (reason,) = foretelling({"innocent_name": column}, SESSIONS, PRICES).values()
    assert f"the price {lead} sessions later" in reason


def test_what_was_known_that_day_is_no_target() -> None:
    rng = np.random.default_rng(8)
    lagged = np.append(np.full(5, np.nan), PRICE[:-5])
    honest = {
        "price": PRICE,
        "lagged": lagged,
        "return": np.append(np.nan, np.diff(np.log(PRICE))),
        "mean": np.convolve(PRICE, np.ones(21) / 21)[:N],
        "noise": rng.normal(size=N),
        "flag": (rng.random(N) < 0.1).astype(float),
        "constant": np.full(N, PRICE[-1]),
        "empty": np.full(N, np.nan),
    }
    assert foretelling(honest, SESSIONS, PRICES) == {}


def test_a_real_target_of_a_short_table_is_found_too() -> None:
    tail = slice(N - 120, None)
    assert foretelling({"y": ahead(5)[tail]}, SESSIONS[tail], PRICES) != {}
    assert foretelling({}, SESSIONS[:0], PRICES) == {}
