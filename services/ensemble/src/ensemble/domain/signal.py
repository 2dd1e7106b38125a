"""What the buyer should do, from the distribution of the price at the horizon."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cbi_common.events.forecast import Signal
from cbi_common.timeseries.bands import Residuals


@dataclass(frozen=True)
class Policy:
    """When a forecast is worth acting on; both are fractions."""

    move: float = 0.02
    confidence: float = 0.6


def signal(expected: float, sd: float, residuals: Residuals, policy: Policy | None = None) -> Signal:
    """Return BUY before a rise, WAIT before a fall, else MONITOR.

    BUY when the price rises by more than ``policy.move`` with a probability above ``policy.confidence``, WAIT when it
    is expected to fall by more than ``policy.move``. The two differ on purpose: buying early costs carry for certain,
    waiting costs nothing but the chance.

    Parameters
    ----------
    expected, sd : float
        Point forecast and standard deviation of the log return over the horizon.
    residuals : Residuals
        Distribution of what the forecast misses by, in units of ``sd``.
    policy : Policy, optional
    """
    policy = policy or Policy()
    if residuals.share_above((float(np.log1p(policy.move)) - expected) / sd) > policy.confidence:
        return "BUY"
    return "WAIT" if expected < np.log1p(-policy.move) else "MONITOR"
