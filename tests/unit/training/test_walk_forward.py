from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cbi_common.core.errors import DataError, JobError
from cbi_common.core.horizon import Horizon
from cbi_common.events.manifest import Refit
from cbi_common.storage.lake import Lake
from cbi_common.testing.walks import FIRST_DAY, HashLearner, grid_refits, poisoned, random_dataset
from cbi_common.training.fold_cache import FoldCache
from cbi_common.training.walk_forward import Recipe, walk_forward

HORIZONS = (Horizon.W1, Horizon.M1)
DATA = random_dataset()
REFITS = grid_refits(DATA, ("toy",))
CUTOFFS = [*range(270, 600, 5), 599]


def recipe(learner, **changes):
    base = Recipe(learner, HORIZONS, {"depth": 3}, 7, lambda train: np.ones(len(train.sessions)), {"harness": 1})
    return replace(base, **changes)


@pytest.fixture
def cache(tmp_path):
    return FoldCache(Lake(str(tmp_path)))


def walk(cache, data=DATA, learner=None, refits=REFITS, cutoffs=CUTOFFS, usable_from=None, **changes):
    return walk_forward(data, refits, cutoffs, recipe(learner or HashLearner(), **changes), cache, usable_from)


def same(a, b):
    return np.array_equal(a.sessions, b.sessions) and a.y_hat.tobytes() == b.y_hat.tobytes()


@settings(max_examples=15, deadline=None)
@given(
    gaps=st.sets(st.integers(0, 598), max_size=40),
    refits=st.sets(st.integers(150, 599), min_size=1, max_size=5),
    cutoffs=st.sets(st.integers(100, 599), min_size=1, max_size=25),
)
def test_a_fit_and_a_forecast_see_what_was_known_and_no_more(tmp_path_factory, gaps, refits, cutoffs):
    data, learner = random_dataset(gaps=sorted(gaps)), HashLearner()
    planned = [Refit(date=FIRST_DAY, session=s, model_ids=("toy",), cause="grid") for s in sorted(refits)]
    expected = {
        c: max(r for r in refits if r <= c) for c in cutoffs if c in data.sessions and any(r <= c for r in refits)
    }
    cache = FoldCache(Lake(str(tmp_path_factory.mktemp("lake"))))
    if not expected:
        with pytest.raises(DataError, match="no refit serves a cutoff"):
            walk(cache, data, learner, planned, sorted(cutoffs))
        return
    found = walk(cache, data, learner, planned, sorted(cutoffs))
    assert dict(zip(found.sessions.tolist(), found.refit_sessions.tolist(), strict=True)) == expected
    assert found.sessions.tolist() == learner.forecasts == sorted(expected)
    for session, train in zip(sorted(set(expected.values())), learner.trains, strict=True):
        assert train.sessions.tolist() == [s for s in data.sessions.tolist() if s <= session]
        for horizon in HORIZONS:
            matured = np.isfinite(train.targets(horizon))
            assert (train.sessions[matured] + horizon.sessions <= session).all()
    for cutoff, view in zip(sorted(expected), learner.views, strict=True):
        assert view.sessions[-1] == cutoff


@pytest.mark.parametrize("how", ["noise", "delete", "append"])
@pytest.mark.parametrize("after", [300, 315, 317, 440, 595])
def test_what_happens_later_changes_no_earlier_forecast(tmp_path, cache, how, after):
    clean = walk(cache)
    elsewhere = FoldCache(Lake(str(tmp_path / "fresh")))
    other = walk(elsewhere, poisoned(DATA, after, how))
    for found in (clean, other):
        assert found.sessions[found.sessions <= after].size
    rows = [found.y_hat[found.sessions <= after].tobytes() for found in (clean, other)]
    assert rows[0] == rows[1]
    if how == "noise":
        assert not np.isin(clean.y_hat[clean.sessions > after], other.y_hat[other.sessions > after]).any()


def test_the_same_again_fits_and_forecasts_nothing(cache):
    first, learner = walk(cache), HashLearner()
    second = walk(cache, learner=learner)
    assert same(first, second)
    assert learner.fits == learner.forecasts == []
    assert (second.refits, second.cached_folds, second.fit_seconds) == (len(REFITS), len(REFITS), 0.0)
    assert second.latest == first.latest


def test_one_changed_value_refits_only_the_folds_that_hold_it(cache):
    walk(cache)
    features = DATA.features.copy()
    features[400, 2] += 1e-9
    learner = HashLearner()
    walk(cache, replace(DATA, features=features), learner)
    assert learner.fits == [r.session for r in REFITS if r.session >= 400]
    assert min(learner.forecasts) <= 400 <= max(learner.forecasts)
    assert min(learner.forecasts) > max(r.session for r in REFITS if r.session <= 400) - 1


def test_one_more_day_fits_nothing_and_forecasts_the_last_segment_only(cache):
    yesterday = DATA.until(598)
    walk(cache, yesterday, cutoffs=[*range(270, 598, 5), 598])
    learner = HashLearner()
    walk(cache, learner=learner)
    assert learner.fits == []
    assert learner.forecasts == [c for c in CUTOFFS if c >= REFITS[-1].session]


@pytest.mark.parametrize("kind", ["fold", "segment"])
def test_a_damaged_entry_is_made_again(cache, tmp_path, kind):
    first = walk(cache)
    for ref in sorted((tmp_path / "refs" / kind).iterdir()):
        sha = ref.read_text().split('"sha256":"')[1][:64]
        (tmp_path / "cas" / sha[:2] / sha).write_bytes(b"rotten")
    learner = HashLearner()
    second = walk(cache, learner=learner)
    assert same(first, second)
    assert learner.fits == ([r.session for r in REFITS] if kind == "fold" else [])
    assert len(learner.forecasts) == (0 if kind == "fold" else len(CUTOFFS))
    third = HashLearner()
    walk(cache, learner=third)
    assert third.fits == third.forecasts == []


@pytest.mark.parametrize(
    "change",
    [
        {"params": {"depth": 4}},
        {"seed": 8},
        {"environment": {"harness": 2}},
        {"horizons": (Horizon.W1,)},
        {"weigh": lambda train: np.linspace(0.5, 1.5, len(train.sessions))},
        {"learner": HashLearner(name="other")},
    ],
)
def test_whatever_decides_a_model_is_part_of_its_key(cache, change):
    walk(cache)
    assert walk(cache, **change).cached_folds == 0


def test_which_cutoffs_are_asked_for_together_does_not_matter(cache, tmp_path):
    together = walk(cache)
    alone = [walk(FoldCache(Lake(str(tmp_path / str(c)))), cutoffs=[c]).y_hat[0] for c in CUTOFFS[::11]]
    assert np.vstack(alone).tobytes() == together.y_hat[::11].tobytes()


def test_what_ended_before_the_refits_is_fitted_once_and_forecasts_every_cutoff(cache):
    learner = HashLearner()
    found = walk(cache, learner=learner, last_session=REFITS[1].session - 3)
    assert learner.fits == [REFITS[0].session, REFITS[1].session - 3]
    assert found.refits == len(REFITS)
    assert found.cached_folds == len(REFITS) - 2
    assert len(learner.forecasts) == len(CUTOFFS)
    later = replace(DATA, features=np.where((DATA.sessions > REFITS[1].session)[:, None], 9.0, DATA.features))
    again = HashLearner()
    walk(cache, later, again, last_session=REFITS[1].session - 3)
    assert again.fits == []


EARLY = dict.fromkeys(DATA.names, 0)


def test_a_column_is_used_from_its_first_refit_on_and_never_before(cache):
    second = REFITS[1].session
    late = {**EARLY, "x2": second}
    learner = HashLearner()
    first = walk(cache, learner=learner, usable_from=late)
    assert [t.names for t in learner.trains] == [("x0", "x1", "x3")] + [DATA.names] * (len(REFITS) - 1)
    features = DATA.features.copy()
    features[: REFITS[0].session, 2] = 1e6
    other = walk(cache, replace(DATA, features=features), usable_from=late)
    early = first.refit_sessions < second
    assert early.any()
    assert first.y_hat[early].tobytes() == other.y_hat[early].tobytes()
    assert first.y_hat[~early].tobytes() != other.y_hat[~early].tobytes()


def test_a_column_that_is_not_named_is_never_seen(cache):
    learner = HashLearner()
    walk(cache, learner=learner, usable_from={"x0": 0, "x3": 10**6})
    assert {t.names for t in learner.trains} == {v.names for v in learner.views} == {("x0",)}


def test_a_column_that_becomes_usable_later_leaves_the_folds_before(cache):
    last = REFITS[-1].session
    walk(cache, usable_from={**EARLY, "x2": last})
    learner = HashLearner()
    walk(cache, learner=learner, usable_from={name: 0 for name in EARLY if name != "x2"})
    assert learner.fits == [last]


def test_of_two_refits_on_one_session_the_later_counts(cache):
    retrain = REFITS[-1].model_copy(update={"cause": "event"})
    learner = HashLearner()
    found = walk(cache, learner=learner, refits=[*REFITS, retrain])
    assert len(learner.fits) == len(REFITS)
    assert same(found, walk(cache))


def test_a_forecast_that_is_not_a_number_fails_the_job(cache):
    class Broken(HashLearner):
        def forecast(self, model, view):
            return np.array([0.0, np.nan if view.sessions[-1] == 300 else 0.0])

    with pytest.raises(JobError, match="session 300 is not a number"):
        walk(cache, learner=Broken())
