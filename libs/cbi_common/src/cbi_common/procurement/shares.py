"""How much of each coming month's need a buyer is to be covered for."""

from __future__ import annotations

from typing import Literal

Action = Literal["BUY", "WAIT", "MONITOR"]

LADDER_MONTHS = 6


def shares(action: Action, cover: int) -> tuple[float, ...]:
    """Return the share of the need of the running month and of each of ``cover`` months after it.

    All that may be bought when prices are to rise; nothing ahead when they are to fall; else the ladder.

    >>> [round(share, 2) for share in shares("MONITOR", 6)]
    [1.0, 0.86, 0.71, 0.57, 0.43, 0.29, 0.14]
    """
    if action == "BUY":
        return (1.0,) * (cover + 1)
    if action == "WAIT":
        return (1.0,) + (0.0,) * cover
    rungs = min(LADDER_MONTHS, cover)
    return (1.0, *(max((rungs - ahead + 1) / (rungs + 1), 0.0) for ahead in range(1, cover + 1)))
