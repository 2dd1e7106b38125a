"""Which model of a pass is registered at a horizon."""

from cbi_common.core.horizon import Horizon
from cbi_common.events.base import LakeRef
from cbi_common.events.forecast import LiveMember, LiveMembers
from cbi_common.testing.outcomes import METRICS
from cbi_common.training.challengers import challengers

REF = LakeRef(key="some/thing", sha256="0" * 64, size_bytes=1)


def member(
    skill: float | None, *, n: int = 60, artifact: LakeRef | None = REF, y_hat: float | None = 0.01
) -> LiveMember:
    metrics = METRICS.model_copy(update={"skill": skill, "n": n})
    described = {"family": "trees", "learner": "lightgbm", "dataset": "full"}
    return LiveMember(weight=0.1, y_hat=y_hat, predictions=REF, artifact=artifact, metrics=metrics, **described)


def best(members: dict[str, LiveMember], suspect: tuple[str, ...] = ()) -> str | None:
    return challengers(LiveMembers(horizons={Horizon.W1: members}, regime=None), suspect).get(Horizon.W1)


def test_the_highest_skill_wins_even_below_no_change() -> None:
    assert best({"a": member(-0.2), "b": member(-0.1)}) == "b"


def test_who_is_no_candidate() -> None:
    others = {
        "no_change": member(0.5),
        "drift": member(0.4),
        "unscored": member(None),
        "shorter": member(0.3, n=59),
        "not_stored": member(0.3, artifact=None),
        "silent": member(0.3, y_hat=None),
        "too_good": member(0.9),
    }
    assert best({**others, "a": member(-0.1)}, suspect=("too_good",)) == "a"
    assert best(others, suspect=("too_good",)) is None


def test_equal_skills_are_settled_by_name() -> None:
    assert best({"b": member(0.1), "a": member(0.1)}) == "a"
