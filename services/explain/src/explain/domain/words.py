"""Names of driver groups, horizons and sizes as a buyer says them."""

from __future__ import annotations

from cbi_common.core.horizon import Horizon

_GROUPS = {
    "crush": "the crush",
    "china": "China",
    "dollar": "the dollar",
    "rates": "interest rates",
    "policy": "tariffs and policy",
    "biofuels": "biofuel demand",
    "energy": "crude oil and fuels",
    "palm": "palm oil",
    "weather": "the weather",
    "volatility": "nervousness",
    "positioning": "what funds hold",
    "technical": "the price's latest moves",
    "sentiment": "the news",
    "seasonal": "the season",
    "expectation": "what the models expect of any day",
    "price_history": "the price's own past",
}

_AHEAD = {
    Horizon.W1: "In a week",
    Horizon.M1: "In a month",
    Horizon.M3: "In three months",
    Horizon.M6: "In six months",
    Horizon.M12: "In a year",
}


def group_name(group: str) -> str:
    """Return a driver group in a buyer's words; of one that has none, its name.

    >>> group_name("palm"), group_name("hog_cycle")
    ('palm oil', 'hog cycle')
    """
    return _GROUPS.get(group, group.replace("_", " "))


def ahead(horizon: Horizon) -> str:
    """Return how far ahead a horizon is, to begin a sentence with."""
    return _AHEAD[horizon]
