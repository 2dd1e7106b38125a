"""What a market's months cost at spot, in what lots it trades, and what drives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Months:
    """Of the market of a run.

    Attributes
    ----------
    lot : float or None
        Pounds of a contract; None: any quantity can be bought.
    spot : month to the price on its first session
    drivers : series of which can be asked what a move of it would change
    """

    lot: float | None
    spot: Mapping[str, float]
    drivers: tuple[str, ...] = ()
