from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbi_common.core.horizon import Horizon
from cbi_common.timeseries.dataset import targets
from cbi_common.timeseries.folds import Window, overlaps, refit_grid, serving_refit, window

EVERY, REFIT = 5, 21
HORIZONS = st.sampled_from([h.sessions for h in Horizon])
SESSIONS = st.integers(-3000, 9000)


def run_window(as_of: int, horizon: int, first: int = 50, **changes: int) -> Window | None:
    settings = {"scored_periods": 60, "burn_in_periods": 24, "min_train": 750} | changes
    return window(
        as_of_session=as_of,
        horizon_sessions=horizon,
        first_session=first,
        cutoff_every=EVERY,
        refit_sessions=REFIT,
        **settings,
    )


def cutoffs(found: Window | None, as_of: int) -> set[int]:
    return set() if found is None else {s for s in range(found.burn_in_start, as_of + 1) if s % EVERY == 0}


@pytest.mark.parametrize("horizon", [h.sessions for h in Horizon])
def test_sixty_refit_periods_are_252_weekly_cutoffs(horizon: int) -> None:
    found = run_window(6387, horizon)
    assert found is not None
    assert len(range(found.start, found.end + 1, EVERY)) == 252
    assert found.start - found.burn_in_start >= 24 * REFIT


@given(SESSIONS, HORIZONS, st.integers(-3000, 6000))
def test_window_lies_on_the_grid_inside_the_history(as_of: int, horizon: int, first: int) -> None:
    found = run_window(as_of, horizon, first)
    last_matured = max(s for s in range(as_of - horizon - EVERY, as_of - horizon + 1) if s % EVERY == 0)
    if found is None:
        assert last_matured < first + 750
        return
    assert found.end == last_matured
    assert first + 750 <= found.burn_in_start <= found.start <= found.end
    assert all(s % EVERY == 0 for s in (found.burn_in_start, found.start, found.end))
    if found.start > found.end - 251 * EVERY:
        assert found.start - EVERY < first + 750  # clamped only where the history forces it


@given(SESSIONS, HORIZONS)
def test_another_day_adds_cutoffs_and_never_moves_one(as_of: int, horizon: int) -> None:
    today, tomorrow = run_window(as_of, horizon, -6000), run_window(as_of + 1, horizon, -6000)
    assert today is not None
    assert tomorrow is not None
    assert tomorrow.end - today.end in (0, EVERY)
    assert tomorrow.start - today.start in (0, EVERY)
    added = cutoffs(tomorrow, as_of + 1) - cutoffs(today, as_of)
    assert added <= {as_of + 1}
    refits = [set(refit_grid(w.burn_in_start, day, REFIT, 6)) for w, day in ((today, as_of), (tomorrow, as_of + 1))]
    assert refits[1] - refits[0] <= {as_of + 1}


@given(SESSIONS, st.integers(0, 2000), st.integers(1, 20))
def test_refits_are_the_grid_from_the_one_that_serves_the_first_cutoff(first: int, length: int, every: int) -> None:
    last = first + length
    step = REFIT * every
    naive = [s for s in range(first - step + 1, last + 1) if s % REFIT == 0 and (s // REFIT) % every == 0]
    assert refit_grid(first, last, REFIT, every) == naive
    assert naive[0] <= first


@given(st.lists(SESSIONS, max_size=30, unique=True).map(sorted), SESSIONS)
def test_a_cutoff_is_served_by_the_last_refit_at_or_before_it(refits: list[int], cutoff: int) -> None:
    assert serving_refit(refits, cutoff) == max((r for r in refits if r <= cutoff), default=None)


@given(st.integers(1500, 3000), HORIZONS, st.sets(st.integers(1, 2998), max_size=40))
def test_no_training_label_is_later_than_the_refit(as_of: int, horizon: int, holes: set[int]) -> None:
    sessions = np.array([s for s in range(as_of + 1) if s not in holes], dtype=np.int64)
    found = run_window(as_of, horizon, 0, scored_periods=20, burn_in_periods=5)
    if found is None:
        return
    refits = refit_grid(found.burn_in_start, as_of, REFIT)
    for cutoff in range(found.burn_in_start, found.end + 1, EVERY):
        refit = serving_refit(refits, cutoff)
        assert refit is not None
        assert cutoff - REFIT < refit <= cutoff
        known = sessions[sessions <= refit]
        labelled = known[~np.isnan(targets(known, np.ones(len(known)), horizon))]
        assert (labelled + horizon <= refit).all()


def test_a_short_history_gives_fewer_cutoffs_or_none() -> None:
    assert run_window(1000, 5, 0) == Window(early_start=750, burn_in_start=750, start=750, end=995)
    assert run_window(760, 21, 0) is None
    assert run_window(771, 21, 0) == Window(750, 750, 750, 750)


def test_burn_in_is_clamped_before_the_scored_window() -> None:
    found = run_window(750 + 252 * EVERY + 100, 5, 0)
    assert found is not None
    assert found.burn_in_start == 750 < found.start


def test_refits_ascend_without_gaps() -> None:
    assert {b - a for a, b in pairwise(refit_grid(-100, 1000, REFIT, 2))} == {42}


@given(st.lists(SESSIONS, min_size=1, max_size=30, unique=True).map(sorted), HORIZONS)
def test_cutoffs_that_share_an_outcome_are_counted(cutoffs: list[int], horizon: int) -> None:
    sessions = np.array(cutoffs, dtype=np.int64)
    naive = [sum(1 for later in cutoffs if start <= later < start + horizon) for start in cutoffs]
    assert overlaps(sessions, sessions + horizon).tolist() == naive


def test_a_refit_after_the_last_cutoff_serves_nothing() -> None:
    assert refit_grid(100, 209, 21)[-1] == 189
    assert refit_grid(100, 210, 21)[-1] == 210
