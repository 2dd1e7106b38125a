"""A metric and its series."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

DAY_S = 86_400.0


class Family(NamedTuple):
    """One metric; a counter's name ends in ``_total``."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    kind: Literal["gauge", "counter"] = "gauge"

    def of(self, *labels: str, value: float) -> Series:
        """Return one series of it."""
        assert len(labels) == len(self.labels), self.name
        return Series(self, labels, float(value))


class Series(NamedTuple):
    """A value under its labels."""

    family: Family
    labels: tuple[str, ...]
    value: float


Shown = Iterator[Series]


def world_of(simulated: bool | None) -> str:
    """Return the label that keeps what is simulated apart.

    >>> world_of(True), world_of(False), world_of(None)
    ('simulated', 'real', 'unknown')
    """
    return "unknown" if simulated is None else "simulated" if simulated else "real"
