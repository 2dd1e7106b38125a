"""How far ahead to be covered, decision by decision; a strategy sees nothing of any later day."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cbi_common.procurement.market import Market, Terms
from cbi_common.procurement.shares import Action, shares
from cbi_common.timeseries.dataset import Floats


@dataclass(frozen=True)
class Outlook:
    """What the forecast of one horizon said at each decision.

    Attributes
    ----------
    move : (d,) float64
        Expected change of the price as a fraction; NaN where there was no forecast.
    probability_up : (d,) float64 or None
        Probability that it rises; None: only the move decides.
    """

    move: Floats
    probability_up: Floats | None = None


@dataclass(frozen=True)
class Policy:
    """When a move is worth acting on.

    Attributes
    ----------
    buy_above, wait_below : fractions
        Rising prices are bought ahead of, falling ones are waited for.
    sure : float
        Probability of the direction that is asked for, where one is given.
    """

    buy_above: float
    wait_below: float
    sure: float = 0.5


SIGNAL = Policy(0.02, -0.02, 0.6)
CONSERVATIVE, AGGRESSIVE, RISK_AVERSE = Policy(0.02, -0.02), Policy(0.01, -0.03), Policy(0.03, -0.01)
"""The owner's three: BUY above 2, 1 and 3 %, WAIT below -2, -3 and -1 %."""


def action(move: float, probability_up: float | None, policy: Policy) -> Action:
    """Return what to do: rising price, buy now; falling, wait.

    >>> action(0.03, None, CONSERVATIVE), action(-0.03, None, CONSERVATIVE), action(0.01, None, CONSERVATIVE)
    ('BUY', 'WAIT', 'MONITOR')
    """
    if not np.isfinite(move):
        return "MONITOR"
    if move > policy.buy_above and (probability_up is None or probability_up >= policy.sure):
        return "BUY"
    if move < policy.wait_below and (probability_up is None or 1.0 - probability_up >= policy.sure):
        return "WAIT"
    return "MONITOR"


Cover = NDArray[np.float64]
"""(d, cover + 1): share of the need of the month j months ahead that is to be covered after each decision."""

Strategy = Callable[[Market, Terms], Cover]


def spot(market: Market, terms: Terms) -> Cover:
    """Buy each month what it needs, when it begins: the baseline."""
    return _columns(market, terms, 1)


def ladder(market: Market, terms: Terms) -> Cover:
    """Buy each month a part of each of the next six months, the same of all."""
    return np.tile(shares("MONITOR", terms.cover), (len(market.sessions), 1))


def static(months: float) -> Strategy:
    """Be covered the same number of months ahead, always, forecasts or not."""

    def cover(market: Market, terms: Terms) -> Cover:
        ahead = np.arange(terms.cover + 1)
        shares = np.clip(months - ahead + 1, 0.0, 1.0)
        shares[0] = 1.0
        return np.tile(shares, (len(market.sessions), 1))

    return cover


def by_forecast(outlook: Outlook, policy: Policy) -> Strategy:
    """Cover as far as may be on BUY, nothing ahead on WAIT, and keep to the ladder otherwise."""

    def cover(_market: Market, terms: Terms) -> Cover:
        sure = outlook.probability_up
        return np.array(
            [
                shares(action(float(move), None if sure is None else float(sure[i]), policy), terms.cover)
                for i, move in enumerate(outlook.move)
            ]
        )

    return cover


def _columns(market: Market, terms: Terms, months: int) -> Cover:
    found = np.zeros((len(market.sessions), terms.cover + 1))
    found[:, :months] = 1.0
    return found
