"""Expiries and rolls against a search day by day."""

from datetime import date, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cbi_common.timeseries.expiry import day_of, next_expiry, rolled_on

MONTHS = st.sets(st.integers(1, 12), min_size=1, max_size=12).map(lambda months: tuple(sorted(months, reverse=True)))
DAYS = st.lists(st.dates(date(1999, 1, 1), date(2030, 12, 31)), min_size=1, max_size=20, unique=True).map(sorted)


def naive(day: date, months: tuple[int, ...], expires: int) -> date:
    day += timedelta(days=1)
    while day.month not in months or day.day != expires:
        day += timedelta(days=1)
    return day


@given(DAYS, MONTHS, st.integers(1, 28))
def test_the_next_expiry_is_the_first_after_the_date(days: list[date], months: tuple[int, ...], expires: int) -> None:
    found = next_expiry(np.array(days, dtype="datetime64[D]"), months, expires)
    assert found.tolist() == [naive(day, months, expires) for day in days]


def test_the_day_of_expiry_belongs_to_the_contract_that_follows() -> None:
    days = np.array(["2025-03-13", "2025-03-14", "2025-03-17", "2025-05-13", "2025-05-14"], dtype="datetime64[D]")
    assert next_expiry(days, (3, 5, 7), 14).astype(str).tolist() == [
        "2025-03-14", "2025-05-14", "2025-05-14", "2025-05-14", "2025-07-14",
    ]  # fmt: skip
    assert rolled_on(days, (3, 5, 7), 14).tolist() == [False, True, False, False, True]


def test_a_date_in_december_looks_into_the_next_year() -> None:
    days = np.array(["2024-12-20", "2024-12-31", "2025-01-02"], dtype="datetime64[D]")
    assert next_expiry(days, (1, 12), 14).astype(str).tolist() == ["2025-01-14"] * 3
    assert day_of(days, (2, 28), 1).astype(str).tolist() == ["2025-02-28", "2025-02-28", "2026-02-28"]
