"""The part of the page Why that answers what a forecast would be if a driver had moved."""

from __future__ import annotations

from dataclasses import dataclass

from cbi_common.reporting.tables import percent
from dashboard.domain.money import Money
from dashboard.domain.scenario import ScenarioAnswer

_SEEN = 0.005
"""Less than this is written as 0.00."""


@dataclass(frozen=True)
class WhatIf:
    """What was asked, and what came of it.

    Attributes
    ----------
    drivers : series that can be moved; none: nobody answers such questions
    driver : the chosen one, empty before a question
    percent : its move
    found : the answer
    trouble : why there is none
    """

    drivers: tuple[str, ...] = ()
    driver: str = ""
    percent: float = 5
    found: ScenarioAnswer | None = None
    trouble: str = ""

    @property
    def choices(self) -> tuple[tuple[str, str], ...]:
        """Series and what they are called."""
        return tuple((name, name.replace("_", " ")) for name in self.drivers)


def sentence(found: ScenarioAnswer, money: Money) -> str:
    """Return the answer in the reader's unit."""
    name = found.driver.replace("_", " ")
    moved = f"If {name} had {'risen' if found.move >= 0 else 'fallen'} {percent(abs(found.move))} today"
    if not found.changed:
        return f"{moved}, this forecast would be the same: no model that it is made of looks at {name} directly."
    band = f"90 % between {money.price(found.moved_lower_90)} and {money.price(found.moved_upper_90)}"
    if abs(found.difference) < _SEEN:
        return f"{moved}, the forecast would hardly change: {money.price(found.moved_point)} {money.label}, {band}."
    return (
        f"{moved}, the forecast would be {money.price(found.moved_point)} in place of {money.price(found.point)} "
        f"{money.label} ({money.price(found.difference, signed=True)}), {band}. Everything else as it is."
    )
