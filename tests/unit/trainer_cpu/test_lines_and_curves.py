"""Ridge and Prophet against the libraries that are their oracles; XGBoost held to signs."""

import json
import logging
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cbi_common.core.errors import DataError, JobError
from cbi_common.core.horizon import Horizon
from cbi_common.testing.walks import random_dataset
from cbi_common.timeseries.calendar import session_date
from trainer_cpu.adapters.lightgbm_regression import LightGbm
from trainer_cpu.adapters.prophet_curve import ProphetCurve
from trainer_cpu.adapters.xgboost_dart import XgboostDart
from trainer_cpu.domain import penalty
from trainer_cpu.domain.penalty import STANDSTILL, Rows, choose
from trainer_cpu.domain.ridge import Ridge

RAW = random_dataset(900, columns=6)
DATA = replace(
    RAW,
    features=np.random.default_rng(7).normal(size=(900, 6)),
    dates=np.array([session_date(int(session)) for session in RAW.sessions], dtype="datetime64[D]"),
)
ONES = np.ones(900)
DART = {
    "rounds": 40, "max_depth": 2, "eta": 0.2, "rate_drop": 0.1, "skip_drop": 0.5, "subsample": 1.0,
    "colsample_bytree": 1.0, "min_child_weight": 5.0, "reg_lambda": 1.0, "max_bin": 64,
}  # fmt: skip


def led_by(column, sign=1.0):
    price = 50 * np.exp(np.cumsum(np.roll(sign * DATA.features[:, column], 1)) / 100)
    return replace(DATA, price=price)


@pytest.mark.parametrize("strength", [0.01, 1.0, 50.0])
def test_ridge_is_least_squares_with_rows_that_stand_for_the_penalty(strength):
    weights = np.linspace(0.2, 1.8, 900)
    model = Ridge().load(Ridge().fit(DATA, (Horizon.M1,), {"penalties": [strength]}, weights, 1))
    targets = DATA.targets(Horizon.M1)
    rows = np.isfinite(targets)
    centred = (DATA.features - DATA.features.mean(axis=0)) / DATA.features.std(axis=0)
    share = np.sqrt(weights[rows] / weights[rows].sum())
    x = np.vstack([share[:, None] * centred[rows], np.sqrt(strength) * np.eye(6)])
    y = np.concatenate([share * targets[rows], np.zeros(6)])
    assert model.coefficients == pytest.approx(np.linalg.lstsq(x, y, rcond=None)[0], abs=1e-9)


def test_ridge_finds_what_leads_the_price_and_says_no_change_at_the_means():
    data = led_by(3)
    learner = Ridge()
    model = learner.load(learner.fit(data, (Horizon.W1,), {"penalties": [0.01]}, ONES, 1))
    assert np.argmax(np.abs(model.coefficients)) == 3
    usual = replace(data, features=np.tile(data.features.mean(axis=0), (900, 1)))
    assert learner.forecast(model, usual) == pytest.approx([0.0], abs=1e-12)
    assert learner.forecast(model, data) != pytest.approx([0.0], abs=1e-4)


PENALTIES = {"penalties": [0.01, 0.1, 1.0, 10.0]}


def test_of_several_penalties_evidence_chooses_and_without_it_nothing_is_said():
    learner = Ridge()
    led = learner.load(learner.fit(led_by(3), (Horizon.W1,), PENALTIES, ONES, 1))
    assert led.penalty in PENALTIES["penalties"]
    assert np.argmax(np.abs(led.coefficients)) == 3
    silent = learner.load(learner.fit(DATA, (Horizon.W1,), PENALTIES, ONES, 1))
    assert silent.penalty == STANDSTILL
    assert not silent.coefficients.any()
    assert learner.forecast(silent, DATA) == pytest.approx([0.0])


def test_a_history_too_short_for_any_block_says_no_change():
    model = Ridge().load(Ridge().fit(led_by(3), (Horizon.M12,), PENALTIES, ONES, 1))
    assert model.penalty == STANDSTILL


def test_no_row_whose_outcome_overlaps_with_a_block_teaches_the_line_that_forecasts_it(monkeypatch):
    rows = Rows(np.ones((900, 1)), np.ones(900), ONES, np.arange(900))
    taught = []
    monkeypatch.setattr(penalty, "_path", lambda others, tried: taught.append(others) or [np.zeros(1)] * len(tried))
    choose(rows, (1.0,), horizon_sessions=21, folds=5)
    blocks = [set(range(i * 180, (i + 1) * 180)) for i in range(5)]
    assert len(taught) == 5
    for block, others in zip(blocks, taught, strict=True):
        for session in others.sessions.tolist():
            assert not block & set(range(session, session + 22))
            assert all(session not in range(b, b + 22) for b in (min(block), max(block)))


def test_rows_without_a_weight_teach_nothing():
    first = np.where(np.arange(900) < 450, 2.0, 0.0)
    changed = replace(DATA, features=np.where(first[:, None] > 0, DATA.features, DATA.features[::-1]))
    for learner, params in ((XgboostDart(), DART), (LightGbm(), LIGHT)):
        kept = learner.fit(DATA, (Horizon.M1,), params, first, 1)
        assert kept == learner.fit(changed, (Horizon.M1,), params, first, 1)
        assert kept != learner.fit(DATA, (Horizon.M1,), params, ONES, 1)
    with pytest.raises(DataError, match="only 100 rows"):
        Ridge().fit(DATA, (Horizon.M1,), {"penalties": [1.0]}, np.where(np.arange(900) < 100, 9.0, 0.0), 1)


LIGHT = {
    "boosting": "dart", "objective": "regression", "num_trees": 40, "num_leaves": 4, "learning_rate": 0.2,
    "min_data_in_leaf": 20, "feature_fraction": 1.0, "bagging_fraction": 1.0, "bagging_freq": 0, "lambda_l2": 0.0,
    "max_bin": 63,
}  # fmt: skip


@pytest.mark.parametrize(("learner", "params"), [(XgboostDart(), DART), (LightGbm(), LIGHT)], ids=["xgb", "lgbm"])
@pytest.mark.parametrize("sign", [-1, 1])
def test_trees_keep_to_the_sign_that_is_asked_for(learner, params, sign):
    data = led_by(3, sign=-1.0)  # the data say minus
    signed = {**params, "signs": {data.names[3]: sign, "no_such_column": 1}}
    model = learner.load(learner.fit(data, (Horizon.W1,), signed, ONES, 1))
    grid = np.linspace(-3, 3, 25)
    said = []
    for value in grid:
        features = np.zeros((1, 6))
        features[0, 3] = value
        row = replace(data.last(1), features=features)
        said.append(float(learner.forecast(model, row)[0]))
    steps = sign * np.diff(said)
    assert (steps >= -1e-9).all()
    assert (steps.max() > 1e-4) == (sign == -1)


def test_signs_need_a_smooth_objective():
    with pytest.raises(DataError, match="second derivative"):
        LightGbm().fit(DATA, (Horizon.M1,), {**LIGHT, "objective": "regression_l1", "signs": {"x0": 1}}, ONES, 1)


def test_dropout_trees_name_their_columns_and_predict_one_horizon():
    artifact = XgboostDart().fit(DATA, (Horizon.M1,), DART, ONES, 1)
    assert XgboostDart().load(artifact).feature_names == list(DATA.names)
    hidden = replace(DATA, features=np.full_like(DATA.features, np.nan))
    assert np.isfinite(XgboostDart().forecast(XgboostDart().load(artifact), hidden)).all()
    with pytest.raises(JobError, match="one horizon"):
        XgboostDart().fit(DATA, tuple(Horizon), DART, ONES, 1)
    with pytest.raises(DataError, match="does not move over 1m"):
        XgboostDart().fit(replace(DATA, price=np.full(900, 50.0)), (Horizon.M1,), DART, ONES, 1)


def test_the_curve_is_what_prophet_draws():
    logging.getLogger("cmdstanpy").setLevel(logging.ERROR)
    from prophet import Prophet

    params = {"window": 756, "yearly_order": 2, "changepoint_prior_scale": 0.05, "seasonality_prior_scale": 1.0}
    learner = ProphetCurve()
    horizons = (Horizon.M6, Horizon.M12)
    artifact = learner.fit(DATA, horizons, params, ONES, 1)
    assert set(json.loads(artifact)) == {"horizons", "slope", "season"}
    rows = DATA.last(756)
    oracle = Prophet(
        yearly_seasonality=2, weekly_seasonality=False, daily_seasonality=False, changepoint_prior_scale=0.05,
        seasonality_prior_scale=1.0, uncertainty_samples=0,
    )  # fmt: skip
    oracle.fit(pd.DataFrame({"ds": rows.dates.astype("datetime64[ns]"), "y": np.log(rows.price)}), seed=1)
    last = int(DATA.sessions[-1])
    days = [session_date(last), *(session_date(last + horizon.sessions) for horizon in horizons)]
    drawn = oracle.predict(pd.DataFrame({"ds": pd.to_datetime(days)}))["yhat"].to_numpy()
    assert learner.forecast(learner.load(artifact), DATA) == pytest.approx(drawn[1:] - drawn[0], abs=1e-8)
