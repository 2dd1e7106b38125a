"""Margins and spreads of what is made of beans, palm fruit, crude oil and corn, in the units of the trade."""

from __future__ import annotations

import numpy as np

from ingest.domain.kinds.windows import Floats

_POUNDS_OF_OIL_PER_BUSHEL = 11
_TONS_OF_MEAL_PER_BUSHEL = 0.022
_POUNDS_OF_OIL_PER_GALLON = 7.5
_POUNDS_PER_TONNE = 2204.6226
_GALLONS_PER_BARREL = 42


def crush_margin(beans: Floats, meal: Floats, oil: Floats) -> Floats:
    """Return the board crush in $/bu from beans in ¢/bu, meal in $/short ton and oil in ¢/lb."""
    result: Floats = _TONS_OF_MEAL_PER_BUSHEL * meal + _POUNDS_OF_OIL_PER_BUSHEL * oil / 100 - beans / 100
    return result


def oil_share(meal: Floats, oil: Floats) -> Floats:
    """Return oil's share of the value of the crush products, 0 to 1."""
    worth = _POUNDS_OF_OIL_PER_BUSHEL * oil / 100
    return worth / (worth + _TONS_OF_MEAL_PER_BUSHEL * meal)


def boho(oil: Floats, heating_oil: Floats) -> Floats:
    """Return soybean oil less heating oil in $/gal, from ¢/lb and $/gal."""
    return _POUNDS_OF_OIL_PER_GALLON * oil / 100 - heating_oil


def palm_spread(oil: Floats, palm: Floats) -> Floats:
    """Return soybean oil less palm oil in $/t, from ¢/lb and $/t."""
    return _POUNDS_PER_TONNE * oil / 100 - palm


def crack_spread(gasoline: Floats, heating_oil: Floats, crude: Floats) -> Floats:
    """Return the 3-2-1 crack in $/bbl of crude, from products in $/gal.

    Three barrels of crude make two of gasoline and one of heating oil.
    """
    return _GALLONS_PER_BARREL * (2 * gasoline + heating_oil) / 3 - crude


def diesel_crack(heating_oil: Floats, crude: Floats) -> Floats:
    """Return heating oil less crude in $/bbl, from $/gal and $/bbl."""
    return _GALLONS_PER_BARREL * heating_oil - crude


def hedging_pressure(short: Floats, long: Floats) -> Floats:
    """Return the net short hedge over all hedges, -1 to 1 (de Roon, Nijman and Veld, 2000)."""
    result: Floats = np.divide(short - long, short + long, out=np.full(len(short), np.nan), where=short + long > 0)
    return result
