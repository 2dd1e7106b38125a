"""An ARMA model of daily log returns as a state that new prices move on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cbi_common.timeseries.dataset import Floats


@dataclass(frozen=True)
class Arma:
    """State of an ARMA(p, q) of the daily log returns: ARIMA(p, 1, q) with drift of the log price.

    Attributes
    ----------
    mean : mean daily log return
    ar, ma : coefficients, lag 1 first
    returns : last p returns less the mean, newest first
    errors : last q one-step errors, newest first
    last : last log price
    """

    mean: float
    ar: tuple[float, ...]
    ma: tuple[float, ...]
    returns: tuple[float, ...]
    errors: tuple[float, ...]
    last: float

    def after(self, y: Floats) -> Arma:
        """Return the state after the log prices ``y`` (n,), oldest first."""
        state = self
        for price in map(float, y):
            moved = price - state.last - self.mean
            state = state._next(moved, moved - state._expected())
        return state

    def ahead(self, steps: Sequence[int]) -> list[float]:
        """Return the log return expected over each number of sessions."""
        path, state = [], self
        for _ in range(max(steps)):
            state = state._next(state._expected(), 0.0)
            path.append(state.last - self.last)
        return [path[h - 1] for h in steps]

    def _expected(self) -> float:
        own = sum(c * r for c, r in zip(self.ar, self.returns, strict=True))
        return own + sum(c * e for c, e in zip(self.ma, self.errors, strict=True))

    def _next(self, moved: float, error: float) -> Arma:
        returns = (moved, *self.returns)[: len(self.ar)]
        errors = (error, *self.errors)[: len(self.ma)]
        return replace(self, returns=returns, errors=errors, last=self.last + self.mean + moved)
