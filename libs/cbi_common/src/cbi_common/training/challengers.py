"""Which model of a pass is worth registering at each horizon."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from cbi_common.core.horizon import Horizon
from cbi_common.events.forecast import LiveMember, LiveMembers
from cbi_common.training.predictions import Predictions

YARDSTICKS = frozenset({"no_change", "drift"})
_LEAST_SHARE = 0.5
"""Of the cutoffs that the middle candidate has: fewer, and the rows that all share would be too few."""

Scored = Callable[[LiveMember, Horizon], Predictions]
"""A member's cutoffs that count and whose outcome is known."""


def challengers(live: LiveMembers, scored: Scored, suspect: Collection[str] = ()) -> dict[Horizon, str]:
    """Return, horizon by horizon, the member with the smallest error; a horizon without a candidate is left out.

    A candidate has a forecast at as_of and a stored model, is no yardstick, is not too good to be believed, and was
    scored on at least half as many cutoffs as the middle one. All are compared by mean absolute error of the price on
    the cutoffs that they share: one that began later has skipped what the others had to forecast. The best need not
    beat no change; that is for the promotion gates to say.

    Parameters
    ----------
    live : LiveMembers
        All members of the final forecast, from every trainer.
    scored : function of a member and its horizon to its predictions
    suspect : collection of str
        `ForecastReady.suspect`.
    """
    found = {horizon: _best(members, horizon, scored, suspect) for horizon, members in live.horizons.items()}
    return {horizon: model_id for horizon, model_id in found.items() if model_id is not None}


def _best(members: Mapping[str, LiveMember], horizon: Horizon, scored: Scored, suspect: Collection[str]) -> str | None:
    candidates = {
        model_id: member
        for model_id, member in members.items()
        if member.metrics.skill is not None
        and member.artifact is not None
        and member.y_hat is not None
        and model_id not in YARDSTICKS
        and model_id not in suspect
    }
    if not candidates:
        return None
    least = _LEAST_SHARE * float(np.median([member.metrics.n for member in candidates.values()]))
    tables = {model_id: scored(member, horizon) for model_id, member in candidates.items() if member.metrics.n >= least}
    shared = reduce(np.intersect1d, [table.sessions for table in tables.values()])
    if not len(shared):
        return None
    return min((_error(table, shared), model_id) for model_id, table in tables.items())[1]


def _error(table: Predictions, shared: NDArray[np.int64]) -> float:
    rows = np.isin(table.sessions, shared)
    said, was = (table.price[rows] * np.exp(column[rows]) for column in (table.y_hat, table.y))
    return float(np.abs(said - was).mean())
