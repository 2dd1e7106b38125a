"""Market regimes in their one stated order."""

from __future__ import annotations

from enum import StrEnum


class Regime(StrEnum):
    """State of the market on a day; iteration order is the class order of every probability vector."""

    CRISIS = "crisis"
    BULL = "bull"
    BEAR = "bear"
    NORMAL = "normal"
