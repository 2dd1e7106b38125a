"""The theta method as a state that new prices move on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cbi_common.timeseries.dataset import Floats


@dataclass(frozen=True)
class Theta:
    """State of a (dynamic, optimised) theta model of a log price (Fiorucci et al., 2016).

    ``level`` is the smoothed series, ``intercept`` and ``slope`` the trend line through the first ``n`` prices,
    ``mean`` their mean, ``alpha`` and ``theta`` the parameters, ``last`` the last log price. Only a ``dynamic`` model
    moves its trend line with each price.
    """

    level: float
    mean: float
    intercept: float
    slope: float
    n: int
    alpha: float
    theta: float
    dynamic: bool
    last: float

    def after(self, y: Floats) -> Theta:
        """Return the state after the log prices ``y`` (n,), oldest first."""
        state = self
        for price in map(float, y):
            state = state._next(price)
        return state

    def ahead(self, steps: Sequence[int]) -> list[float]:
        """Return the log return expected over each number of sessions."""
        path, state = [], self
        for _ in range(max(steps)):
            state = state._next(state._expected())
            path.append(state.last - self.last)
        return [path[h - 1] for h in steps]

    def _expected(self) -> float:
        faded = (1.0 - self.alpha) ** self.n
        line = self.intercept * faded + self.slope * (1.0 - faded * (1.0 - self.alpha)) / self.alpha
        return self.level + (1.0 - 1.0 / self.theta) * line

    def _next(self, price: float) -> Theta:
        n = self.n
        level = self.alpha * price + (1.0 - self.alpha) * self.level
        mean = (n * self.mean + price) / (n + 1)
        intercept, slope = self.intercept, self.slope
        if self.dynamic:
            slope = ((n - 1) * slope + 6.0 * (price - self.mean) / (n + 1)) / (n + 2)
            intercept = mean - slope * (n + 2) / 2
        return replace(self, level=level, mean=mean, intercept=intercept, slope=slope, n=n + 1, last=price)
