"""Forecast horizons, defined once."""

from __future__ import annotations

from enum import StrEnum


class Horizon(StrEnum):
    """A forecast horizon; its length is counted in trading sessions.

    >>> Horizon("1m").sessions, Horizon("1m").words
    (21, '1 month')
    """

    W1 = "1w"
    M1 = "1m"
    M3 = "3m"
    M6 = "6m"
    M12 = "12m"

    @property
    def sessions(self) -> int:
        """Length in trading sessions."""
        return _SESSIONS[self]

    @property
    def words(self) -> str:
        """Name for a reader."""
        return _WORDS[self]


_SESSIONS = {Horizon.W1: 5, Horizon.M1: 21, Horizon.M3: 63, Horizon.M6: 126, Horizon.M12: 252}
_WORDS = {
    Horizon.W1: "1 week",
    Horizon.M1: "1 month",
    Horizon.M3: "3 months",
    Horizon.M6: "6 months",
    Horizon.M12: "12 months",
}
