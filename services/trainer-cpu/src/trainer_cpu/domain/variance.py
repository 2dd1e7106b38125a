"""Variance of the daily return as a state that new prices move on; what it forecasts is a standard deviation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np

from cbi_common.core.errors import DataError
from cbi_common.timeseries.dataset import Floats


@dataclass(frozen=True)
class Garch:
    """GARCH(1,1), with a leverage term where it was asked for, of the daily log return.

    The variance of the next return is ``omega + (alpha + gamma [r < 0]) (r - mean)^2 + beta variance`` (Bollerslev,
    1986; Glosten, Jagannathan & Runkle, 1993). With ``omega`` 0 and ``alpha + beta`` 1 it is RiskMetrics' EWMA.

    Attributes
    ----------
    mean, omega, alpha, gamma, beta : parameters
    variance : of the next return, as known now
    last : last log price
    """

    mean: float
    omega: float
    alpha: float
    gamma: float
    beta: float
    variance: float
    last: float

    @property
    def persistence(self) -> float:
        """Share of a shock to the variance that is left a day later, half of the shocks being negative."""
        return self.alpha + self.beta + self.gamma / 2

    def after(self, y: Floats) -> Garch:
        """Return the state after the log prices ``y`` (n,), oldest first."""
        variance, last = self.variance, self.last
        for price in map(float, y):
            shock = price - last - self.mean
            news = (self.alpha + (self.gamma if shock < 0 else 0.0)) * shock * shock
            variance, last = self.omega + news + self.beta * variance, price
        return replace(self, variance=variance, last=last)

    def ahead(self, steps: Sequence[int]) -> list[float]:
        """Return the standard deviation of the log return over each number of sessions, as a fraction."""
        return [sqrt(self._sum(n)) for n in steps]

    def _sum(self, n: int) -> float:
        """Sum of the expected variances of the next ``n`` returns (Baillie & Bollerslev, 1992)."""
        left = 1.0 - self.persistence
        if left < 1e-9:
            return n * self.variance + self.omega * n * (n - 1) / 2
        usual = self.omega / left
        return n * usual + (self.variance - usual) * (1.0 - self.persistence**n) / left


DECAY = 0.97
"""Of the EWMA that every volatility model has to beat (DOMAIN section 5)."""


def ewma(y: Floats) -> Garch:
    """Return the exponentially weighted variance of the changes of ``y`` (n,), started from their plain mean square."""
    changes = np.diff(y)
    start = Garch(0.0, 0.0, 1.0 - DECAY, 0.0, DECAY, float(np.mean(changes[:63] ** 2)), float(y[0]))
    state = start.after(y[1:])
    if state.variance <= 0.0:
        raise DataError("the price never moved", where="ewma", hint="see `cbi quality`")
    return state
