"""The yardsticks: the price stays, or goes on as it went on average."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cbi_common.timeseries.dataset import Floats


@dataclass(frozen=True)
class Drift:
    """A random walk whose log price moves by ``slope`` per session; no-change is the one with slope 0."""

    slope: float

    def after(self, y: Floats) -> Drift:  # noqa: ARG002  # a random walk forgets where it has been
        """Return the state after more log prices: the slope stays as it was estimated."""
        return self

    def ahead(self, steps: Sequence[int]) -> list[float]:
        """Return the log return expected over each number of sessions.

        >>> Drift(0.001).ahead([5, 10])
        [0.005, 0.01]
        """
        return [self.slope * h for h in steps]


def no_change(y: Floats) -> Drift:  # noqa: ARG001  # whatever the prices were
    """Return the state that expects no change."""
    return Drift(0.0)


def drift(y: Floats) -> Drift:
    """Return the random walk with the mean change of the log prices ``y`` (n,)."""
    return Drift(float(y[-1] - y[0]) / (len(y) - 1))
