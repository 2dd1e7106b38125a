"""Exponential smoothing as a state that new prices move on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cbi_common.timeseries.dataset import Floats


@dataclass(frozen=True)
class Smoothing:
    """State of a non-seasonal exponential smoothing with additive errors, ETS(A,N,N) or ETS(A,Ad,N), of a log price.

    ``level`` and ``slope`` are the state, ``alpha``, ``beta`` and ``phi`` the parameters (Hyndman, Koehler, Ord &
    Snyder, 2008, chapter 2), ``last`` the last log price. Without a trend ``slope`` and ``beta`` are 0.
    """

    level: float
    slope: float
    alpha: float
    beta: float
    phi: float
    last: float

    def after(self, y: Floats) -> Smoothing:
        """Return the state after the log prices ``y`` (n,), oldest first."""
        level, slope, last = self.level, self.slope, self.last
        for last in map(float, y):  # the last one is kept
            slope = self.phi * slope
            error = last - (level + slope)
            level += slope + self.alpha * error
            slope += self.beta * error
        return Smoothing(level, slope, self.alpha, self.beta, self.phi, last)

    def ahead(self, steps: Sequence[int]) -> list[float]:
        """Return the log return expected over each number of sessions."""
        return [self.level + self.slope * _damped_sum(self.phi, h) - self.last for h in steps]


def _damped_sum(phi: float, n: int) -> float:
    return float(n) if phi == 1.0 else phi * (1.0 - phi**n) / (1.0 - phi)
