import json
import pickletools
from dataclasses import replace

import numpy as np
import pytest

from cbi_common.catalogue.spec import load_catalogue
from cbi_common.core.errors import DataError, JobError
from cbi_common.core.horizon import Horizon
from cbi_common.testing.walks import poisoned, random_dataset
from trainer_cpu.adapters.lightgbm_regression import LightGbm
from trainer_cpu.adapters.xgboost_dart import XgboostDart
from trainer_cpu.jobs import LEARNERS

DATA = random_dataset(900, columns=6)
REFIT, CUTOFFS = 800, (800, 805, 850, 899)
SPECS = {spec.learner: spec for spec in reversed(load_catalogue().models) if spec.device == "cpu"}


def horizons(learner):
    return SPECS[learner.name].horizons if SPECS[learner.name].joint else (Horizon.M1,)


def fitted(learner, data=DATA, seed=1, weights=None, **params):
    train = data.until(REFIT)
    weights = np.ones(len(train.sessions)) if weights is None else weights
    return learner.fit(train, horizons(learner), {**SPECS[learner.name].params, **params}, weights, seed)


def test_every_learner_of_the_catalogue_is_here():
    assert {learner.name for learner in LEARNERS} == set(SPECS)


@pytest.fixture(params=LEARNERS, ids=lambda learner: learner.name)
def learner(request):
    return request.param


def test_equal_inputs_give_equal_bytes_and_no_pickle(learner):
    artifact = fitted(learner)
    assert artifact == fitted(learner)
    if learner.name == "lightgbm":
        assert artifact.startswith(b"tree\nversion=")
    elif learner.name == "xgboost_dart":
        assert artifact.startswith(b"{L")
    else:
        assert json.loads(artifact)
    with pytest.raises(ValueError, match=r"pickle|opcode|at position|no newline"):
        list(pickletools.genops(artifact))


def test_a_forecast_depends_on_model_and_view_alone(learner):
    artifact = fitted(learner)
    model = learner.load(artifact)
    together = [learner.forecast(model, DATA.until(c)) for c in CUTOFFS]
    alone = [learner.forecast(learner.load(artifact), DATA.until(c)) for c in reversed(CUTOFFS)]
    assert np.vstack(together).tobytes() == np.vstack(alone[::-1]).tobytes()
    assert together[0].shape == (len(horizons(learner)),)
    assert np.isfinite(together).all()


def test_what_comes_after_the_refit_does_not_reach_the_fit(learner):
    for how in ("noise", "delete", "append"):
        assert fitted(learner, poisoned(DATA, REFIT, how)) == fitted(learner)


def test_too_short_a_history_is_a_data_error(learner):
    with pytest.raises(DataError, match=r"only \d+ (prices|rows)"):
        learner.fit(DATA.until(90), horizons(learner), SPECS[learner.name].params, np.ones(91), 1)


def test_an_unknown_parameter_is_refused(learner):
    with pytest.raises(DataError, match="num_treees: Extra inputs are not permitted; correct the catalogue"):
        fitted(learner, num_treees=3)


def test_a_price_that_never_moved_is_a_data_error_but_for_the_yardsticks(learner):
    still = replace(DATA.until(REFIT), price=np.full(REFIT + 1, 50.0))
    if learner.name in ("no_change", "drift"):
        artifact = learner.fit(still, horizons(learner), SPECS[learner.name].params, np.ones(REFIT + 1), 1)
        assert not np.any(learner.forecast(learner.load(artifact), still))
        return
    with pytest.raises(DataError, match=r"the price (never moved|does not move over)"):
        learner.fit(still, horizons(learner), SPECS[learner.name].params, np.ones(REFIT + 1), 1)


def test_only_the_window_counts():
    drift = next(learner for learner in LEARNERS if learner.name == "drift")
    long, short = (json.loads(fitted(drift, window=w))["state"]["slope"] for w in (700, 100))
    assert short == pytest.approx(np.mean(np.diff(np.log(DATA.until(REFIT).last(100).price))))
    assert long != short


def trees(**params):
    return fitted(LightGbm(), **{"num_trees": 20, "learning_rate": 0.1, "min_data_in_leaf": 20, **params})


def test_trees_use_what_leads_the_price():
    data = random_dataset(900, columns=6)
    price = 50 * np.exp(np.cumsum(np.roll(data.features[:, 3], 1)) / 100)
    params = {**SPECS["lightgbm"].params, "num_trees": 20, "learning_rate": 0.1, "feature_fraction": 1.0}
    booster = LightGbm().load(LightGbm().fit(replace(data, price=price), (Horizon.W1,), params, np.ones(900), 1))
    assert booster.feature_name() == list(DATA.names)
    assert np.argmax(booster.feature_importance("gain")) == 3
    assert booster.current_iteration() == 20


def test_trees_take_a_missing_value_as_it_is():
    model = LightGbm().load(trees())
    hidden = replace(DATA, features=np.full_like(DATA.features, np.nan))
    assert np.isfinite(LightGbm().forecast(model, hidden)).all()


def test_weights_and_seed_decide_a_tree():
    heavy = np.linspace(0.1, 1.9, REFIT + 1)
    assert len({trees(), trees(weights=heavy), trees(seed=2)}) == 3


def test_rows_without_an_outcome_do_not_count():
    train = DATA.until(REFIT)
    features = train.features.copy()
    features[-21:] = 1e6
    changed = replace(train, features=features)
    arguments = ((Horizon.M1,), SPECS["lightgbm"].params, np.ones(REFIT + 1), 1)
    assert LightGbm().fit(train, *arguments) == LightGbm().fit(changed, *arguments)


def test_one_tree_model_has_one_horizon():
    with pytest.raises(JobError, match="one horizon"):
        LightGbm().fit(DATA, tuple(Horizon), SPECS["lightgbm"].params, np.ones(900), 1)


def test_trees_need_a_feature():
    known = DATA.until(REFIT)
    for bare in (known.without(DATA.names), replace(known, features=np.full_like(known.features, np.nan))):
        for learner in (LightGbm(), XgboostDart()):
            with pytest.raises(DataError, match="no feature is left"):
                learner.fit(bare, (Horizon.M1,), SPECS[learner.name].params, np.ones(REFIT + 1), 1)
