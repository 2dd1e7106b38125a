"""Faults that can be put into the simulated market at a date, for whatever has to notice them.

Before its date a fault changes nothing by a bit. None of them touches the soybean oil, palm, crude, news or VIX that
the forecasters of the truth see otherwise than the process itself does, so the truth stays true.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

FROZEN, SHIFTED, PARTED = "frozen_feed", "feature_shift", "broken_correlation"
TURMOIL, AWAY = "unseen_regime", "error_drift"

FROZEN_SERIES, SHIFTED_SERIES, PARTED_SERIES = "ho", "usd_brl", "zs"

SHIFT = 6.0
"""How many times as far as before the shifted series moves in a session."""

FAULTS = {
    FROZEN: "heating oil is told as it was on the session before, for good",
    SHIFTED: "the Brazilian real moves six times as far in a session as before",
    PARTED: "soybeans no longer move with soybean oil",
    TURMOIL: "in every regime soybean oil moves 110 % a year and the VIX tends to 70",
    AWAY: "palm rises by half within two weeks, and from then on it and soybean oil no longer heed each other",
}

Faults = tuple[tuple[str, date], ...]
"""Names of `FAULTS` with the first session that each one touches, ascending by name."""


def parse_faults(text: str) -> Faults:
    """Read ``NAME:DATE`` pairs separated by commas.

    Raises
    ------
    ValueError
        For a name that is unknown or comes twice, or what is no date.

    >>> parse_faults("frozen_feed:2020-03-02")
    (('frozen_feed', datetime.date(2020, 3, 2)),)
    """
    found: dict[str, date] = {}
    for part in text.split(","):
        name, _, day = part.partition(":")
        if name not in FAULTS or name in found:
            raise ValueError(f"no fault {name!r}, or twice")
        found[name] = date.fromisoformat(day)
    return tuple(sorted(found.items()))


def day_of(faults: Iterable[tuple[str, date]], name: str) -> date | None:
    """Return the first session that the named fault touches, None where there is no such fault."""
    return dict(faults).get(name)
