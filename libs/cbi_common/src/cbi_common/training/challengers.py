"""Which model of a pass is worth registering at each horizon."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from cbi_common.core.horizon import Horizon
from cbi_common.events.forecast import LiveMember, LiveMembers

YARDSTICKS = frozenset({"no_change", "drift"})


def challengers(live: LiveMembers, suspect: Collection[str] = ()) -> dict[Horizon, str]:
    """Return, horizon by horizon, the member with the highest skill; a horizon without a candidate is left out.

    A candidate has a forecast at as_of and a stored model, is no yardstick, is not too good to be believed, and was
    scored on as many cutoffs as any member: a skill on fewer rows is not comparable. The best need not beat no change;
    that is for the promotion gates to say.

    Parameters
    ----------
    live : LiveMembers
        All members of the final forecast, from every trainer.
    suspect : collection of str
        `ForecastReady.suspect`.
    """
    found = {horizon: _best(members, suspect) for horizon, members in live.horizons.items()}
    return {horizon: model_id for horizon, model_id in found.items() if model_id is not None}


def _best(members: Mapping[str, LiveMember], suspect: Collection[str]) -> str | None:
    longest = max((member.metrics.n for member in members.values()), default=0)
    ranked = [
        (-member.metrics.skill, model_id)
        for model_id, member in members.items()
        if member.metrics.skill is not None
        and member.metrics.n == longest
        and member.artifact is not None
        and member.y_hat is not None
        and model_id not in YARDSTICKS
        and model_id not in suspect
    ]
    return min(ranked)[1] if ranked else None
