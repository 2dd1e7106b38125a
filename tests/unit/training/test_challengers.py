"""Which model of a pass is registered at a horizon."""

from __future__ import annotations

import numpy as np

from cbi_common.core.horizon import Horizon
from cbi_common.events.base import LakeRef
from cbi_common.events.forecast import LiveMember, LiveMembers
from cbi_common.testing.outcomes import METRICS
from cbi_common.training.challengers import challengers
from cbi_common.training.predictions import Predictions

REF = LakeRef(key="some/thing", sha256="0" * 64, size_bytes=1)
SESSIONS = np.arange(0, 500, 5)
OUTCOMES = np.random.default_rng(3).normal(0, 0.05, len(SESSIONS))


class Members:
    """Members whose forecasts are off by so much at each cutoff."""

    def __init__(self) -> None:
        self.members: dict[str, LiveMember] = {}
        self._tables: dict[str, Predictions] = {}

    def add(
        self, model_id: str, off: float | np.ndarray, *, first: int = 0, last: int = 100, **changes: object
    ) -> Members:
        rows = slice(first, last)
        y = OUTCOMES[rows]
        sessions = SESSIONS[rows]
        self._tables[model_id] = Predictions(
            model_id=model_id,
            horizon=Horizon.W1,
            cutoffs=sessions.astype("datetime64[D]"),
            sessions=sessions,
            refit_sessions=sessions,
            price=np.full(len(y), 50.0),
            y_hat=y + (off if np.isscalar(off) else np.asarray(off)[rows]),
            y=y,
        )
        described = {"family": "trees", "learner": model_id, "dataset": "full", "artifact": REF, "y_hat": 0.01}
        metrics = METRICS.model_copy(update={"skill": 0.0, "n": len(y)})
        known = {"weight": 0.1, "predictions": REF, "metrics": metrics, **described}
        self.members[model_id] = LiveMember.model_validate(known | changes)
        return self

    def best(self, suspect: tuple[str, ...] = ()) -> str | None:
        live = LiveMembers(horizons={Horizon.W1: self.members}, regime=None)
        return challengers(live, lambda member, _: self._tables[member.learner], suspect).get(Horizon.W1)


def test_the_smallest_error_wins_however_large() -> None:
    assert Members().add("a", 0.3).add("b", 0.2).best() == "b"


def test_who_is_no_candidate() -> None:
    others = Members().add("no_change", 0.01).add("drift", 0.01).add("not_stored", 0.01, artifact=None)
    others.add("silent", 0.01, y_hat=None).add("too_good", 0.001)
    others.add("unscored", 0.01, metrics=METRICS.model_copy(update={"skill": None}))
    assert others.best(suspect=("too_good",)) is None
    assert others.add("a", 0.5).best(suspect=("too_good",)) == "a"


def test_models_are_compared_on_the_cutoffs_that_they_share() -> None:
    hard_at_first = np.where(np.arange(100) < 40, 0.5, 0.05)
    late = Members().add("late", 0.06, first=40).add("whole", hard_at_first)
    assert late.best() == "whole"  # on all of its own cutoffs it is worse


def test_one_with_few_cutoffs_neither_wins_nor_narrows_what_the_others_share() -> None:
    better_at_first = np.where(np.arange(100) < 80, 0.02, 0.5)
    members = Members().add("a", better_at_first).add("b", 0.2).add("few", 0.001, first=80)
    assert members.best() == "a"


def test_without_a_shared_cutoff_nobody_is_the_best() -> None:
    assert Members().add("a", 0.1, last=50).add("b", 0.1, first=50).best() is None


def test_equal_errors_are_settled_by_name() -> None:
    assert Members().add("b", 0.1).add("a", 0.1).best() == "a"
