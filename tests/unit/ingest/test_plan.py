"""The plan of a run: windows, refits, members; a day more never moves what was there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbi_common.catalogue.spec import load_catalogue
from cbi_common.core.horizon import Horizon
from cbi_common.events.manifest import Refit
from cbi_common.markets import load_market
from cbi_common.timeseries.calendar import session_date
from ingest.domain.manifest import Plan, Span, plan_run

FIRST, LAST = 50, 6387


def plan(as_of: int = LAST, profile: str = "quick", **more: object) -> Plan:
    arguments = {"spans": {"full": Span(FIRST, as_of)}, "eras": {}, "as_of_session": as_of, **more}
    return plan_run(load_catalogue(), profile, **arguments)  # type: ignore[arg-type]


def short_plan(span: Span, refit_every: int = 1, horizons: tuple[Horizon, ...] = tuple(Horizon)) -> Plan:
    """A run whose catalogue has one model more, on a dataset of its own."""
    catalogue = load_catalogue()
    extra = catalogue.model("lgbm").model_copy(
        update={"id": "rich", "dataset": "rich", "refit_every": {"quick": refit_every}, "horizons": horizons}
    )
    return plan_run(
        catalogue.model_copy(update={"models": (*catalogue.models, extra)}),
        "quick",
        spans={"full": Span(FIRST, LAST), "rich": span},
        eras={},
        as_of_session=LAST,
    )


def refit(session: int, cause: str, *models: str) -> Refit:
    return Refit(date=session_date(session), session=session, model_ids=models, cause=cause)


def test_every_model_of_the_profile_is_expected_at_every_horizon() -> None:
    models = load_catalogue().of_profile("quick")
    assert {(m.model_id, m.horizon) for m in plan().members} == {(m.id, h) for m in models for h in m.horizons}


def test_windows_hold_enough_matured_weekly_cutoffs() -> None:
    for horizon, window in plan().windows.items():
        assert window.burn_in_start <= window.start <= window.end <= LAST - horizon.sessions
        assert (window.end - window.start) // 5 + 1 >= 250
        assert window.start % 5 == window.end % 5 == window.burn_in_start % 5 == 0


@pytest.mark.parametrize("profile", ["smoke", "quick", "standard", "full"])
def test_every_cutoff_is_served_by_a_refit_at_or_before_it(profile: str) -> None:
    eras = {era.name: Span(FIRST, LAST) for era in load_market("zl").eras}
    found = plan(profile=profile, eras=eras)
    models = [model for model in load_catalogue().of_profile(profile) if model.dataset == "full"]
    assert {model.id for model in models} == {member.model_id for member in found.members}
    for model in models:
        sessions = [r.session for r in found.refits if model.id in r.model_ids]
        assert sessions == sorted(sessions)
        assert min(sessions) <= min(found.windows[h].burn_in_start for h in model.horizons)
        step = 21 * model.refit_every[profile]
        assert all(session % step == 0 for session in sessions)
        assert LAST - max(sessions) < step


def test_a_model_of_an_era_starts_when_the_era_has_taught_enough() -> None:
    catalogue = load_catalogue()
    late = Span(LAST - 1500, LAST - 400)
    found = plan(profile="standard", eras={"trade_war_2017_2019": late})
    ids = {member.model_id for member in found.members}
    assert "lgbm_trade_war" in ids
    assert "lgbm_crisis" not in ids
    refits = [r.session for r in found.refits if "lgbm_trade_war" in r.model_ids]
    least = catalogue.profiles["standard"].min_train_sessions + Horizon.M1.sessions
    assert late.first + least <= min(refits) < late.first + least + 21 * 6


def test_every_refit_names_its_day() -> None:
    assert all(r.date == session_date(r.session) for r in plan().refits)


@pytest.mark.parametrize(
    ("first", "expected"), [(5800, {Horizon.W1, Horizon.M1}), (5000, set(Horizon)), (LAST - 515, set())]
)
def test_a_short_dataset_is_planned_from_its_own_training_rows_on(first: int, expected: set[Horizon]) -> None:
    found = short_plan(Span(first, LAST))
    assert {m.horizon for m in found.members if m.model_id == "rich"} == expected
    refits = [r.session for r in found.refits if "rich" in r.model_ids]
    longest = max((h.sessions for h in expected), default=0)
    assert bool(refits) == bool(expected)
    assert all(session >= first + 504 + longest and session % 21 == 0 for session in refits)
    assert not refits or refits[0] < max(first + 504 + longest, found.windows[Horizon.W1].burn_in_start) + 21


def test_a_model_refitted_so_rarely_that_no_scored_cutoff_is_served_is_not_expected() -> None:
    assert any(m.model_id == "rich" for m in short_plan(Span(5800, LAST), refit_every=1).members)
    assert not any(m.model_id == "rich" for m in short_plan(Span(5800, LAST), refit_every=60).members)


@pytest.mark.parametrize("span", [Span(3000, LAST - 1), Span(3000, LAST - 200)])
def test_a_dataset_that_ends_before_as_of_carries_no_model(span: Span) -> None:
    found = short_plan(span)
    assert not any("rich" in r.model_ids for r in found.refits)
    assert {m.model_id for m in found.members} == {m.model_id for m in plan().members}


def test_a_model_whose_dataset_was_not_exported_is_not_expected() -> None:
    catalogue = load_catalogue()
    lost = tuple(m.model_copy(update={"dataset": "gone"}) if m.id == "lgbm" else m for m in catalogue.models)
    found = plan_run(
        catalogue.model_copy(update={"models": lost}),
        "quick",
        spans={"full": Span(FIRST, LAST)},
        eras={},
        as_of_session=LAST,
    )
    assert {m.model_id for m in found.members} == {m.model_id for m in plan().members} - {"lgbm"}


@given(st.integers(3000, LAST), st.integers(1, 400))
def test_a_later_as_of_moves_no_refit_and_no_grid(as_of: int, more: int) -> None:
    before, after = plan(as_of), plan(as_of + more)
    old = {r.session: r for r in before.refits}
    new = {r.session: r for r in after.refits}
    for session in old.keys() & new.keys():
        assert set(new[session].model_ids) <= set(old[session].model_ids)
    assert max(old) <= as_of


def test_a_retrain_refits_every_model_at_as_of() -> None:
    (extra,) = [r for r in plan(retrain_cause="event-1").refits if r.cause != "grid"]
    assert (extra.session, extra.cause) == (LAST, "event-1")
    assert set(extra.model_ids) == {m.id for m in load_catalogue().of_profile("quick")}


def test_earlier_retrains_are_inherited_as_far_as_they_apply() -> None:
    inherited = [
        refit(6000, "event-1", "lgbm", "unknown"),
        refit(LAST + 1, "event-2", "lgbm"),
        refit(6100, "event-3", "unknown"),
        refit(LAST, "event-4", "drift"),
    ]
    extra = [r for r in plan(inherited=inherited, retrain_cause="event-4").refits if r.cause != "grid"]
    assert [(r.session, r.cause, r.model_ids[:1]) for r in extra] == [
        (6000, "event-1", ("lgbm",)),
        (LAST, "event-4", (load_catalogue().of_profile("quick")[0].id,)),
    ]


def test_a_short_history_has_fewer_horizons_and_a_very_short_one_none() -> None:
    short = plan(as_of=FIRST + 504 + 21 + 60)
    assert set(short.windows) == {Horizon.W1, Horizon.M1}
    assert {m.horizon for m in short.members} == {Horizon.W1, Horizon.M1}
    assert all(r.session >= FIRST + 504 for r in short.refits)
    none = plan(as_of=FIRST + 100, retrain_cause="event-1")
    assert (none.windows, none.refits, none.members) == ({}, (), ())
