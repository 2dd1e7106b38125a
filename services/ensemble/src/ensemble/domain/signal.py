"""What the buyer should do, from the distribution of the price at the horizon."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cbi_common.events.forecast import Signal
from cbi_common.timeseries.dataset import Floats


@dataclass(frozen=True)
class Policy:
    """When a forecast is worth acting on; both are fractions."""

    move: float = 0.02
    confidence: float = 0.6


def probability_above(outcomes: Floats, level: float) -> float:
    """Return the share of equally likely ``outcomes`` (n,) above ``level``; an outcome equal to it counts half.

    >>> probability_above(np.array([-1.0, 0.0, 1.0, 2.0]), 0.0)
    0.625
    """
    return float(np.mean(np.where(outcomes == level, 0.5, outcomes > level)))


def signal(expected: float, outcomes: Floats, policy: Policy | None = None) -> Signal:
    """Return BUY before a rise, WAIT before a fall, else MONITOR.

    BUY when the price rises by more than ``policy.move`` with a probability above ``policy.confidence``, WAIT when it
    is expected to fall by more than ``policy.move``. The two differ on purpose: buying early costs carry for certain,
    waiting costs nothing but the chance.

    Parameters
    ----------
    expected : float
        Point forecast, log return over the horizon.
    outcomes : (n,) float64
        Equally likely log returns over the horizon.
    policy : Policy, optional
    """
    policy = policy or Policy()
    if probability_above(outcomes, float(np.log1p(policy.move))) > policy.confidence:
        return "BUY"
    return "WAIT" if expected < np.log1p(-policy.move) else "MONITOR"
