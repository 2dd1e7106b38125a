"""Attribution of a forecast: contributions add up in log returns and are shown in the unit of the price."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from cbi_common.timeseries.dataset import Floats


def combine(weights: Floats, contributions: Floats) -> Floats:
    """Return the contributions to a blend from its members' contributions.

    Parameters
    ----------
    weights : (m,) float64 >= 0
        Blend weights; what is missing to 1 is no-change's, which contributes nothing.
    contributions : (m, k) float64
        Log return that each of k groups contributes to each member, its own expectation included. A member of weight
        0 does not count, whatever its row holds.

    Returns
    -------
    (k,) float64
        Log returns, summing to the blended one when the members' rows sum to theirs.
    """
    used = weights > 0
    combined: Floats = np.sum(weights[used, None] * contributions[used], axis=0)
    return combined


def in_price(contributions: Floats, current: ArrayLike, forecast: ArrayLike) -> Floats:
    """Return contributions to the price: c_i = phi_i * (P - P0) / ln(P / P0), phi_i * P0 when P = P0.

    Contributions that sum to ln(P / P0) come out summing to P - P0; what they miss of the one is missed of the other in
    proportion. The baseline is no-change (DOMAIN section 7).

    Parameters
    ----------
    contributions : (..., k) float64
        Log returns.
    current, forecast : (...) float64 > 0
        P0 and P, in one unit.

    >>> in_price(np.array([np.log(2.0), np.log(0.6)]), 50.0, 60.0).sum().round(9)
    np.float64(10.0)
    """
    start = np.asarray(current, dtype=np.float64)
    move = np.log(np.asarray(forecast, dtype=np.float64) / start)
    still = move == 0
    per_return = start * np.where(still, 1.0, np.expm1(move) / np.where(still, 1.0, move))
    shares: Floats = contributions * per_return[..., None]
    return shares
