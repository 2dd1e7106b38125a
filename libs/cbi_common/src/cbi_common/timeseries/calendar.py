"""Trading sessions of the CBOT grain market, numbered from a fixed anchor so that a number never moves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import cache

import numpy as np
from numpy.typing import NDArray

from cbi_common.core.errors import DataError
from cbi_common.timeseries.holidays import holidays

FIRST_DAY = date(1900, 1, 1)
LAST_DAY = date(2100, 12, 31)
ANCHOR = date(2000, 1, 3)
"""The session with number 0."""

Days = NDArray[np.datetime64]


def sessions_between(start: date, end: date) -> Days:
    """Return the trading days from ``start`` to ``end``, both included, as ascending ``datetime64[D]``.

    Raises
    ------
    DataError
        For a day before 1900 or after 2100.

    >>> sessions_between(date(2024, 12, 24), date(2024, 12, 26)).astype(str).tolist()
    ['2024-12-24', '2024-12-26']
    """
    days = _checked(np.array([start, end], dtype="datetime64[D]"))
    first = np.searchsorted(_sessions(), days[0], side="left")
    last = np.searchsorted(_sessions(), days[1], side="right")
    return _sessions()[first:last]


def session_numbers(dates: Days | Sequence[date]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the number of the last session at or before each date, and whether the date is itself a session.

    What is observed on a day without a session is known at the *next* one: ``numbers + ~is_session``.

    Parameters
    ----------
    dates : (n,) datetime64 of any unit, or dates
        Between 1900 and 2100, in any order.

    Returns
    -------
    numbers : (n,) int64
        Sessions counted from 2000-01-03 = 0, negative before.
    is_session : (n,) bool

    Raises
    ------
    DataError
        For a date that is missing or outside the calendar.
    """
    days = _checked(np.asarray(dates, dtype="datetime64[D]"))
    index = np.searchsorted(_sessions(), days, side="right") - 1
    return (index - _anchor()).astype(np.int64), _sessions()[index] == days


def session_number(day: date) -> int:
    """Return the number of the last session at or before ``day``.

    >>> session_number(date(2000, 1, 3)), session_number(date(2000, 1, 2)), session_number(date(2000, 1, 9))
    (0, -1, 4)
    """
    numbers, _ = session_numbers([day])
    return int(numbers[0])


def session_date(number: int) -> date:
    """Return the day of a session, in the past or in the future.

    Raises
    ------
    DataError
        For a number outside 1900 to 2100.

    >>> session_date(session_number(date(2025, 5, 16)) + 252)
    datetime.date(2026, 5, 19)
    """
    index = number + _anchor()
    if not 0 <= index < len(_sessions()):
        raise DataError(f"session {number} is outside {FIRST_DAY} to {LAST_DAY}", where="calendar")
    day: date = _sessions()[index].item()
    return day


@cache
def _sessions() -> Days:
    days = np.arange(np.datetime64(FIRST_DAY), np.datetime64(LAST_DAY) + 1)
    sessions = days[np.is_busday(days, holidays=holidays())]
    sessions.flags.writeable = False
    return sessions


@cache
def _anchor() -> int:
    return int(np.searchsorted(_sessions(), np.datetime64(ANCHOR)))


def _checked(days: Days) -> Days:
    # Written so that NaT, which compares false with everything, counts as outside.
    outside = ~((days >= np.datetime64(FIRST_DAY)) & (days <= np.datetime64(LAST_DAY)))
    if outside.any():
        raise DataError(
            f"date {days[outside].flat[0]} is outside the calendar",
            where="calendar",
            hint=f"dates between {FIRST_DAY} and {LAST_DAY} can be numbered",
        )
    return days
