import pytest

from cbi_common.catalogue.spec import load_catalogue
from cbi_common.core.errors import UsageError
from cbi_common.core.horizon import Horizon


def test_every_profile_trains_the_yardstick() -> None:
    catalogue = load_catalogue()
    for profile in catalogue.profiles:
        assert "no_change" in [m.id for m in catalogue.of_profile(profile)]


def test_ids_are_unique_and_profiles_exist() -> None:
    catalogue = load_catalogue()
    ids = [m.id for m in catalogue.models]
    assert len(set(ids)) == len(ids)
    assert {p for m in catalogue.models for p in m.refit_every} <= set(catalogue.profiles)


def test_scored_profiles_reach_250_weekly_cutoffs() -> None:
    for name in ("quick", "standard", "full"):
        profile = load_catalogue().profiles[name]
        assert profile.scored_periods * profile.refit_sessions / profile.cutoff_sessions >= 250


def test_jobs_cover_every_horizon_once() -> None:
    for model in load_catalogue().models:
        assert sorted(h for job in model.jobs() for h in job) == sorted(model.horizons)
        assert set(model.horizons) <= set(Horizon)


def test_the_spec_digest_follows_what_decides_the_fit() -> None:
    model = load_catalogue().model("lgbm")
    assert model.sha256 == model.model_copy(update={"why": "another reason", "refit_every": {"quick": 1}}).sha256
    assert model.sha256 != model.model_copy(update={"seed": 1}).sha256
    assert model.sha256 != model.model_copy(update={"params": {**model.params, "num_trees": 1}}).sha256


def test_an_unknown_model_says_where_to_look() -> None:
    with pytest.raises(UsageError, match="cbi leaderboard"):
        load_catalogue().model("nope")
