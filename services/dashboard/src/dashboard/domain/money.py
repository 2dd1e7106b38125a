"""Prices as text, in the unit that the reader chose."""

from __future__ import annotations

from dataclasses import dataclass

from cbi_common.markets.units import UnitName, units_of
from cbi_common.reporting.tables import UNKNOWN


@dataclass(frozen=True)
class Money:
    """How a price of the market is written.

    Attributes
    ----------
    label : str
        Of the unit.
    factor : float
        Times a price of the market.
    digits : int
        After the point.
    """

    label: str
    factor: float
    digits: int

    @classmethod
    def of(cls, unit: str, chosen: UnitName = "market") -> Money:
        """Return the writer for a market's unit; what cannot be converted stays in the market's own unit.

        >>> Money.of("$/bbl", "gal").price(71.254), Money.of("$/bbl").label
        ('71.25', '$/bbl')
        """
        known = {found.name: found for found in units_of(unit)}
        unit_found = known.get(chosen, known["market"])
        return cls(unit_found.label, unit_found.factor, unit_found.digits)

    def price(self, value: float | None, *, signed: bool = False) -> str:
        """Return a price without its unit."""
        return UNKNOWN if value is None else f"{value * self.factor:{'+' if signed else ''},.{self.digits}f}"


MARKET_UNIT = Money("", 1.0, 2)
"""Where no market is known."""
