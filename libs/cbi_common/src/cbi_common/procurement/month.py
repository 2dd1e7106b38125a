"""Calendar months in which something is needed, as ``YYYY-MM``."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated

from pydantic import BeforeValidator, StringConstraints

_PATTERN = r"^(19|20)\d\d-(0[1-9]|1[0-2])$"


def _named(text: str) -> str:
    if not re.fullmatch(_PATTERN, str(text)):
        raise ValueError(f"{str(text)[:20]!r} is not a month such as 2025-07")
    return text


Month = Annotated[str, StringConstraints(pattern=_PATTERN), BeforeValidator(_named)]


def month_of(day: date) -> str:
    """Return the month of a day.

    >>> month_of(date(2025, 5, 13))
    '2025-05'
    """
    return f"{day.year:04d}-{day.month:02d}"


def later(month: str, months: int) -> str:
    """Return the month so many months later.

    >>> later("2025-11", 3), later("2025-01", -1)
    ('2026-02', '2024-12')
    """
    year, place = divmod(_number(month) + months, 12)
    return f"{year:04d}-{place + 1:02d}"


def months_between(first: str, last: str) -> int:
    """Return how many months ``last`` is after ``first``.

    >>> months_between("2025-11", "2026-02")
    3
    """
    return _number(last) - _number(first)


def _number(month: str) -> int:
    return int(month[:4]) * 12 + int(month[5:]) - 1
