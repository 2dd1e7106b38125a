"""Figures that were taken several times: the middle one, and how far the others lie apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Repeats:
    """What the same measurement gave each time.

    >>> print(Repeats((3.0, 1.0, 2.0)))
    2.00 (1.00–3.00)
    """

    values: tuple[float, ...]

    @property
    def middle(self) -> float:
        """The median: one slow or one lucky time must not move it."""
        return median(self.values)

    def __str__(self) -> str:
        """Return the median and the range."""
        return f"{self.middle:.2f} ({min(self.values):.2f}–{max(self.values):.2f})"

    def over(self, other: Repeats) -> Repeats:
        """Return the ratios, time by time: taken in turn, both meet the same drift of the machine."""
        return Repeats(tuple(a / b for a, b in zip(self.values, other.values, strict=True)))


def in_turn(measures: Sequence[Callable[[], float]], times: int) -> list[Repeats]:
    """Take each measurement once, then all again, so many times, and return what each gave."""
    rounds = [[measure() for measure in measures] for _ in range(times)]
    return [Repeats(values) for values in zip(*rounds, strict=True)]
