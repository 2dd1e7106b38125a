"""Clock as an argument: the wall's, or one that is set to a day of the past."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


class SimulatedClock:
    """A clock that goes on as the wall's does from wherever it is set, and never goes back.

    Parameters
    ----------
    start : datetime
        With a time zone.
    """

    def __init__(self, start: datetime) -> None:
        self._base, self._set_at = start, time.monotonic()

    def __call__(self) -> datetime:
        """Return the simulated time in UTC."""
        return self._base + timedelta(seconds=time.monotonic() - self._set_at)

    def advance(self, to: datetime) -> None:
        """Go on to ``to``, unless that has passed."""
        self._base, self._set_at = max(self(), to), time.monotonic()
