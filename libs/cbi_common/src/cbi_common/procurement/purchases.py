"""What a strategy buys when, for which month, and the best that anybody could have bought."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cbi_common.procurement.market import Market, Terms
from cbi_common.procurement.strategies import Cover
from cbi_common.timeseries.dataset import Floats

Bought = NDArray[np.float64]
"""(m, d): pounds for each month at each decision; a row sums to the need."""


@dataclass(frozen=True)
class Costs:
    """What the months cost, in the unit of the price per pound.

    Attributes
    ----------
    paid : (m,) float64
        Carry included.
    carry : (m,) float64
        Of which for carry.
    ahead : (m,) float64
        Months that a pound was bought ahead, on average.
    rolled : float
        Share of all pounds that were bought on the first session of a new front contract.
    """

    paid: Floats
    carry: Floats
    ahead: Floats
    rolled: float


def buy(market: Market, terms: Terms, cover: Cover) -> Bought:
    """Return the purchases that a strategy's cover amounts to.

    At each decision the months ahead are filled up to the share that is asked for, in whole lots; what is bought stays
    bought. What a month still lacks when it begins is bought then.
    """
    bought = np.zeros((market.months, len(market.sessions)))
    held = np.zeros(market.months)
    for decision, month in enumerate(market.month):
        for ahead in range(terms.cover + 1):
            target = int(month) + ahead
            if not 0 <= target < market.months or decision > market.due[target]:
                continue
            wanted = terms.need * float(cover[decision, ahead]) - held[target]
            if decision == market.due[target]:
                order = terms.need - held[target]
            else:
                order = min(terms.lot * np.floor(wanted / terms.lot + 1e-9), terms.need - held[target])
            if order > 0:
                bought[target, decision] += order
                held[target] += order
    return bought


def best(market: Market, terms: Terms) -> Bought:
    """Return the purchases of perfect foresight: each month's need at the cheapest decision that may serve it.

    Months do not compete for anything, and every strategy's pound for a month is bought at one of the same decisions at
    the same fill and carry: so no strategy is cheaper in any month.
    """
    bought = np.zeros((market.months, len(market.sessions)))
    for month in range(market.months):
        window = market.window(month, terms.cover)
        cost = market.fill[window] + terms.carry * market.ahead(month, window)
        bought[month, window.start + int(np.argmin(cost))] = terms.need
    return bought


def costs(market: Market, terms: Terms, bought: Bought) -> Costs:
    """Return what purchases cost."""
    ahead = np.arange(market.months)[:, None] - market.month[None, :]
    months_ahead = (bought * ahead).sum(axis=1) / terms.need
    carry = terms.carry * months_ahead
    paid = (bought * market.fill).sum(axis=1) / terms.need + carry
    return Costs(paid, carry, months_ahead, float(bought[:, market.rolled].sum() / bought.sum()))
