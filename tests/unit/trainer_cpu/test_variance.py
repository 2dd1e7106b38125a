"""GARCH against arch's own forecasts, EWMA against the library's, HAR against least squares."""

import json
import warnings
from dataclasses import asdict

import numpy as np
import pytest
from arch import arch_model
from hypothesis import given
from hypothesis import strategies as st

from cbi_common.core.errors import DataError
from cbi_common.core.horizon import Horizon
from cbi_common.testing.walks import random_dataset
from cbi_common.timeseries.volatility import ewma_variance, realised_variance
from trainer_cpu.adapters.arch_garch import fit_garch, fit_gjr
from trainer_cpu.domain.har import HarLog
from trainer_cpu.domain.variance import DECAY, Garch, ewma

STEPS = (1, 5, 21, 252)
log_prices = st.lists(st.floats(3.0, 5.0), max_size=30).map(np.array)


def garch_path(n=1500, seed=3, omega=2e-6, alpha=0.08, beta=0.9):
    rng = np.random.default_rng(seed)
    returns, variance = np.zeros(n), np.full(n, omega / (1 - alpha - beta))
    for i in range(1, n):
        variance[i] = omega + alpha * returns[i - 1] ** 2 + beta * variance[i - 1]
        returns[i] = np.sqrt(variance[i]) * rng.normal()
    return 4.0 + np.cumsum(returns), variance


Y, TRUE_VARIANCE = garch_path()


@pytest.mark.parametrize(("fit", "leverage", "shocks"), [(fit_garch, 0, "normal"), (fit_gjr, 1, "t")])
def test_the_forecast_is_that_of_arch(fit, leverage, shocks):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = arch_model(100 * np.diff(Y), vol="GARCH", p=1, o=leverage, q=1, dist=shocks)
        oracle = model.fit(disp="off").forecast(horizon=252, reindex=False).variance.to_numpy()[0]
    expected = [np.sqrt(oracle[:n].sum()) / 100 for n in STEPS]
    assert fit(Y).ahead(STEPS) == pytest.approx(expected, rel=2e-3)


def test_the_parameters_of_a_known_process_come_back():
    state = fit_garch(Y)
    assert state.persistence == pytest.approx(0.98, abs=0.03)
    assert state.alpha == pytest.approx(0.08, abs=0.04)
    next_variance = 2e-6 + 0.08 * (Y[-1] - Y[-2]) ** 2 + 0.9 * TRUE_VARIANCE[-1]
    assert state.ahead([1])[0] == pytest.approx(np.sqrt(next_variance), rel=0.15)


def test_moved_on_a_state_is_that_of_all_prices_at_once():
    whole = fit_garch(Y[:1200])
    by_hand = Garch(whole.mean, whole.omega, whole.alpha, whole.gamma, whole.beta, whole.variance, whole.last)
    for price in Y[1200:]:
        by_hand = by_hand.after(np.array([price]))
    assert whole.after(Y[1200:]) == by_hand


@given(first=log_prices, second=log_prices)
def test_in_two_steps_or_in_one_the_state_is_the_same(first, second):
    state = Garch(0.0001, 2e-6, 0.05, 0.04, 0.9, 1e-4, 4.0)
    assert state.after(first).after(second) == state.after(np.concatenate([first, second]))
    assert Garch(**json.loads(json.dumps(asdict(state)))) == state


def test_ewma_is_the_yardstick_once_its_start_has_faded():
    data = random_dataset(900, seed=5)
    yardstick = ewma_variance(data.sessions, data.price, decay=DECAY)[-1]
    assert ewma(np.log(data.price)).ahead([1, 4]) == pytest.approx([yardstick**0.5, 2 * yardstick**0.5], rel=1e-6)


def test_a_price_that_stands_still_has_no_volatility():
    with pytest.raises(DataError, match="never moved"):
        ewma(np.full(300, 4.0))


def fitted(data, horizons=(Horizon.W1, Horizon.M1), weights=None, **params):
    weights = np.ones(len(data.sessions)) if weights is None else weights
    return HarLog().fit(data, horizons, {"penalty": 1e-6, **params}, weights, 1)


def test_har_is_least_squares_of_the_log_variance():
    data = random_dataset(1500, columns=2, seed=8)
    line = HarLog().load(fitted(data)).lines[0]
    squares = np.concatenate([[np.nan], np.diff(np.log(data.price)) ** 2])
    spans = [[np.log(squares[max(0, i - n + 1) : i + 1].mean()) for i in range(1500)] for n in (5, 21, 63)]
    turns = 2 * np.pi * data.dates.astype("datetime64[D]").astype(float) / 365.25
    x = np.column_stack([np.ones(1500), *spans, np.sin(turns), np.cos(turns)])
    y = np.log(realised_variance(data.sessions, data.price, 5))
    rows = np.isfinite(y) & np.isfinite(x).all(axis=1) & (np.arange(1500) >= 63)
    expected = np.linalg.lstsq(x[rows], y[rows], rcond=None)[0]
    assert line.coefficients == pytest.approx(expected, abs=2e-3)
    # Forecasts are right on average as variances, not as logarithms.
    implied = line.factor * np.exp(x[rows] @ line.coefficients)
    assert np.mean(np.exp(y[rows]) / implied) == pytest.approx(1.0, abs=0.01)


def test_fear_is_read_where_it_is_known_and_not_made_up_where_it_is_not():
    data = random_dataset(1500, columns=2, seed=8)
    fear = np.exp(np.random.default_rng(2).normal(3, 0.3, 1500))
    features = data.features.copy()
    features[:, 1] = fear
    told = type(data)(data.sessions, data.dates, data.price, features, ("f0", "vix_level"))
    model = HarLog().load(fitted(told, fear="vix_level"))
    price_only = HarLog().load(fitted(data))
    assert len(model.lines[0].coefficients) == 7
    unknown = features.copy()
    unknown[-1, 1] = np.nan
    silent = type(data)(data.sessions, data.dates, data.price, unknown, ("f0", "vix_level"))
    assert HarLog().forecast(model, silent) == pytest.approx(HarLog().forecast(price_only, data), rel=1e-12)
    assert HarLog().forecast(model, told) != pytest.approx(HarLog().forecast(price_only, data), rel=1e-6)
