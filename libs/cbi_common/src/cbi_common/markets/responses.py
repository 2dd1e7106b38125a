"""What a move of a series today does to the features that are made of it."""

from __future__ import annotations

from cbi_common.markets.spec import Market

_RESPONSES = {"log_return": "log", "level": "level"}
"""Kinds of features of which it is plain."""


def responses(market: Market) -> dict[str, dict[str, str]]:
    """Return each series to those of its features that follow a move of it: ``log`` adds it, ``level`` multiplies."""
    found = {
        spec.name: {f.name: _RESPONSES[f.kind] for f in market.drivers_of(spec.name) if f.kind in _RESPONSES}
        for spec in market.series
    }
    return {series: features for series, features in found.items() if features}
