"""Too good is a failure: what an honest forecast of a liquid price cannot show (DOMAIN section 1)."""

from __future__ import annotations

from collections.abc import Mapping

from cbi_common.core.horizon import Horizon
from cbi_common.timeseries.scoring import Score

R2_LIMIT = 0.20
"""Of squared error, what a model may save against no-change."""

SKILL_LIMIT = 0.15

GROWTH = 0.5
"""Share of no-change's growth in MAPE from the shortest to the longest horizon that a model must show."""

MIN_EFFECTIVE = 10
"""Independent windows below which a large saving may be one cycle's luck; it is said all the same."""


def too_good(scores: Mapping[Horizon, Score]) -> list[str]:
    """Return why the scores of one model over its horizons cannot be believed, one line each; empty when they can.

    On a simulated market the achievable skill is known and these limits do not apply.
    """
    reasons = [reason for horizon, score in sorted(scores.items(), key=_sessions) for reason in _alone(horizon, score)]
    return reasons + _flat(scores)


def _alone(horizon: Horizon, score: Score) -> list[str]:
    reasons = []
    luck = "" if score.n_effective >= MIN_EFFECTIVE else f" on {score.n_effective:.0f} independent windows"
    if score.r2_no_change is not None and score.r2_no_change > R2_LIMIT:
        reasons.append(f"{horizon}: R² against no-change {score.r2_no_change:.2f} is above {R2_LIMIT}{luck}")
    if score.skill is not None and score.skill > SKILL_LIMIT:
        reasons.append(f"{horizon}: skill {score.skill:.0%} is above {SKILL_LIMIT:.0%}{luck}")
    return reasons


def _flat(scores: Mapping[Horizon, Score]) -> list[str]:
    known = [
        (horizon, score.mape, score.no_change_mape)
        for horizon, score in sorted(scores.items(), key=_sessions)
        if score.mape is not None and score.no_change_mape is not None
    ]
    if len(known) < 2:
        return []
    (first, own, naive), (last, own_last, naive_last) = known[0], known[-1]
    if own_last - own >= GROWTH * (naive_last - naive):
        return []
    grows = f"MAPE grows from {own:.1%} at {first} to {own_last:.1%} at {last}"
    return [f"{grows}, no-change's from {naive:.1%} to {naive_last:.1%}"]


def _sessions(entry: tuple[Horizon, Score]) -> int:
    return entry[0].sessions
