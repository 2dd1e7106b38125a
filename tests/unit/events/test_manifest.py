from datetime import date

from cbi_common.core.horizon import Horizon
from cbi_common.events.manifest import Member, Refit, RunManifest, ScoredWindow


def manifest(as_of_session: int = 103, **changes: object) -> RunManifest:
    fields: dict[str, object] = {
        "market": "zl",
        "as_of": date(2025, 5, 16),
        "as_of_session": as_of_session,
        "profile": "smoke",
        "simulated": True,
        "datasets": {},
        "refits": (
            Refit(date=date(2025, 5, 1), session=84, model_ids=("a", "b"), cause="grid"),
            Refit(date=date(2025, 4, 1), session=63, model_ids=("a",), cause="grid"),
        ),
        "cutoff_every": 5,
        "windows": {Horizon.W1: ScoredWindow(burn_in_start=80, start=90, end=95)},
        "members": (Member(model_id="a", horizon=Horizon.W1),),
        "catalogue_sha256": "0",
    }
    return RunManifest.model_validate(fields | changes)


def test_cutoffs_are_the_grid_and_as_of() -> None:
    assert manifest().cutoffs(Horizon.W1) == [80, 85, 90, 95, 100, 103]
    assert manifest(as_of_session=100).cutoffs(Horizon.W1) == [80, 85, 90, 95, 100]


def test_one_more_day_moves_no_grid_cutoff() -> None:
    before, after = manifest(103).cutoffs(Horizon.W1), manifest(104).cutoffs(Horizon.W1)
    assert before[:-1] == after[:-1]


def test_refits_of_a_model_ascend() -> None:
    assert [r.session for r in manifest().refits_of("a")] == [63, 84]
    assert [r.session for r in manifest().refits_of("b")] == [84]
    assert manifest().refits_of("c") == []


def test_the_run_id_depends_on_everything() -> None:
    assert manifest().run_id == manifest().run_id
    assert len({manifest().run_id, manifest(104).run_id, manifest(simulated=False).run_id}) == 3
