"""Exponential weights over members that come and go: a vote is earned by matured evidence, all of it.

Sleeping experts (Freund, Schapire, Singer & Warmuth, 1997) on the absolute error in units of the forecast volatility.
No-change is the first expert and holds what the others have not earned: prior shares grow with the number of
independent matured outcomes, so two lucky years of a forecast one year ahead move nothing. Both constants were chosen
on targets before 2020 and on simulated markets (docs/results.md).
"""

from __future__ import annotations

import numpy as np

from cbi_common.timeseries.dataset import Floats, Ints
from cbi_common.timeseries.folds import overlaps

RATE = 2.0
"""How fast weights follow the loss: one standard deviation per independent outcome shifts the odds by exp(-2)."""

TRUST = 50.0
"""Independent matured outcomes at which a member is trusted by half."""


def expert_weights(
    forecasts: Floats,
    y: Floats,
    sd: Floats,
    sessions: Ints,
    target_sessions: Ints,
    *,
    share: Floats | None = None,
    rate: float = RATE,
    trust: float = TRUST,
) -> Floats:
    """Return the weights (n, m) that the matured errors of each cutoff give, rows summing to 1.

    Parameters
    ----------
    forecasts : (n, m) float64
        Log returns over the horizon; the first column is no-change, 0 throughout. NaN: the member is asleep; it then
        neither wins nor loses against the blend that was served without it.
    y : (n,) float64
        Actual log returns, NaN where not known.
    sd : (n,) float64
        Forecast standard deviation; a row without one teaches nothing.
    sessions, target_sessions : (n,) int64, ascending
        Cutoffs and the sessions of their outcomes.
    share : (n, m) float64, optional
        Vote of each member at each cutoff, 1 where nothing is said: members that err alike share one.
    rate, trust : float > 0
    """
    n, m = forecasts.shape
    awake = np.isfinite(forecasts)
    said = np.where(awake, forecasts, 0.0)
    teaches = np.flatnonzero(np.isfinite(y) & np.isfinite(sd) & (sd > 0))
    known = np.searchsorted(target_sessions[teaches], sessions, side="right")
    overlap = overlaps(sessions, target_sessions)
    weights = np.zeros((n, m))
    lost, independent = np.zeros(m), np.zeros(m)
    for i in range(n):
        for row in teaches[known[i - 1] if i else 0 : known[i]].tolist():
            losses = np.abs(said[row] - y[row]) / sd[row]
            blended = float(np.abs(weights[row] @ said[row] - y[row]) / sd[row])
            lost += (np.where(awake[row], losses, blended) - losses[0]) / overlap[row]
            independent += awake[row] / overlap[row]
        prior = _prior(awake[i] * independent, trust, 1.0 if share is None else share[i])
        votes = prior * np.exp(-rate * (lost - lost[awake[i]].min()))
        weights[i] = votes / votes.sum()
    return weights


def _prior(independent: Floats, trust: float, share: Floats | float) -> Floats:
    """Shares before any error counts: the votes of the members, each cut to how far it is trusted itself.

    Without the cut a newcomer among members that say no change, and so share one vote, would have nearly all that the
    best known of them has earned.
    """
    trusted = independent / (independent + trust)
    trusted[0] = 0.0
    votes = trusted**2 * share
    most = max(float(trusted.max()), 1e-300)
    prior: Floats = trusted**2 / most * votes / max(float(votes.sum()), 1e-300)
    prior[0] = 1.0 - prior.sum()
    return prior
