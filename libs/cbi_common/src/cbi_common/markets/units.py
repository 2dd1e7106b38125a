"""Other units that the price of a market is told in, where the trade uses several."""

from __future__ import annotations

from typing import Literal, NamedTuple

UnitName = Literal["market", "cwt", "gal"]
"""``market`` is the unit of the market file."""

CENTS_PER_LB = "¢/lb"
LB_PER_GALLON = 7.7
"""Of soybean oil, by the trade's convention (USDA, Conversion Factors and Weights and Measures)."""


class Unit(NamedTuple):
    """How a price of the market is told: times ``factor``, with so many digits, followed by ``label``."""

    name: UnitName
    label: str
    factor: float
    digits: int


def units_of(unit: str) -> tuple[Unit, ...]:
    """Return the units that prices in ``unit`` can be told in, its own first.

    >>> [(found.label, round(50 * found.factor, 3)) for found in units_of("¢/lb")]
    [('¢/lb', 50.0), ('$/cwt', 50.0), ('$/gal', 3.85)]
    """
    own = Unit("market", unit, 1.0, 2)
    if unit != CENTS_PER_LB:
        return (own,)
    return own, Unit("cwt", "$/cwt", 1.0, 2), Unit("gal", "$/gal", LB_PER_GALLON / 100, 3)


def dollars(unit: str) -> float | None:
    """Return the dollars of a pound at a price of one ``unit``; None where prices are not by the pound.

    >>> dollars("¢/lb"), dollars("$/bbl")
    (0.01, None)
    """
    return 0.01 if unit == CENTS_PER_LB else None
