"""The recursions against statsforecast's own, which is the oracle."""

import json
import warnings
from dataclasses import asdict, fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbi_common.testing.walks import random_dataset
from trainer_cpu.adapters.statsforecast_fits import fit_arma, fit_ets, fit_theta
from trainer_cpu.domain.arma import Arma
from trainer_cpu.domain.naive import Drift, drift, no_change
from trainer_cpu.domain.smoothing import Smoothing
from trainer_cpu.domain.theta import Theta

STEPS = range(1, 253)
Y = np.log(random_dataset(560, seed=4).price)
PAST, NEWS = Y[:500], Y[500:]
STATES = [
    Drift(0.001),
    Smoothing(4.0, 0.002, 0.8, 0.1, 0.95, 4.01),
    Smoothing(4.0, 0.0, 0.8, 0.0, 1.0, 4.01),
    Theta(4.0, 3.9, 3.8, 0.001, 500, 0.7, 2.0, False, 4.01),
    Theta(4.0, 3.9, 3.8, 0.001, 500, 0.7, 1.5, True, 4.01),
    Arma(0.0001, (0.5, -0.3), (0.2,), (0.01, -0.02), (0.003,), 4.01),
    Arma(0.0, (), (), (), (), 4.01),
]
log_prices = st.lists(st.floats(3.0, 5.0), max_size=30).map(np.array)


@pytest.mark.parametrize("state", STATES, ids=lambda s: type(s).__name__)
@given(first=log_prices, second=log_prices)
def test_in_two_steps_or_in_one_the_state_is_the_same(state, first, second):
    assert state.after(first).after(second) == state.after(np.concatenate([first, second]))


@pytest.mark.parametrize("state", STATES, ids=lambda s: type(s).__name__)
def test_a_state_is_plain_numbers_that_json_keeps(state):
    raw = json.loads(json.dumps(asdict(state)))
    again = type(state)(**{k: tuple(v) if isinstance(v, list) else v for k, v in raw.items()})
    assert again == state
    assert again.ahead(STEPS) == state.ahead(STEPS)


@pytest.mark.parametrize("state", [s for s in STATES if not isinstance(s, Drift)], ids=lambda s: type(s).__name__)
def test_a_forecast_that_comes_true_moves_no_later_forecast(state):
    path = np.array(state.ahead(STEPS)) + state.last
    moved = state.after(path[:20])
    assert np.array(moved.ahead(range(1, 100))) + path[19] == pytest.approx(path[20:119], abs=1e-9)


def test_drift_is_the_mean_change_and_no_change_none():
    assert drift(PAST).ahead([5])[0] == pytest.approx(5 * np.mean(np.diff(PAST)))
    assert drift(PAST).after(NEWS) == drift(PAST)
    assert no_change(PAST).ahead([1, 252]) == [0.0, 0.0]


def test_smoothing_equals_a_naive_loop_and_the_oracle():
    state = fit_ets(PAST)
    level, slope = state.level, state.slope
    for y in NEWS:
        before = level + state.phi * slope
        level, slope = before + state.alpha * (y - before), state.phi * slope + state.beta * (y - before)
    moved = state.after(NEWS)
    assert (moved.level, moved.slope, moved.last) == pytest.approx((level, slope, Y[-1]))
    far = [level + slope * sum(state.phi**i for i in range(1, h + 1)) - Y[-1] for h in STEPS]
    assert moved.ahead(STEPS) == pytest.approx(far)


def trending(n):
    rng = np.random.default_rng(1)
    return np.cumsum(0.01 * np.sin(np.arange(n) / 40) + rng.normal(0, 0.002, n)) + 4


def test_the_oracle_agrees_with_a_damped_trend():
    from statsforecast import ets

    y = trending(400)
    state = fit_ets(y[:350])
    assert state.beta > 0
    assert state.phi < 1
    fitted = ets.ets_f(y[:350], 1, "AAN", damped=True)
    for found, rows in ((state, y[:350]), (state.after(y[350:]), y)):
        # States only: the oracle's forecast adds phi twice and stops one power short of the book's sum.
        level, slope = ets.forward_ets(fitted, rows)["states"][-1]
        assert (found.level, found.slope) == pytest.approx((level, slope), abs=1e-12)


@pytest.mark.parametrize("kind", ["STM", "OTM", "DSTM", "DOTM"])
def test_the_oracle_agrees_with_every_theta_model(monkeypatch, kind):
    from statsforecast import theta

    original = theta.auto_theta
    with monkeypatch.context() as patch:
        patch.setattr(theta, "auto_theta", lambda y, m: original(y, m, model=kind))
        state = fit_theta(PAST)
    fitted = original(PAST, 1, model=kind)
    assert state.dynamic == (kind[0] == "D")
    assert state.ahead(STEPS) == pytest.approx(theta.forecast_theta(fitted, 252)["mean"] - PAST[-1], abs=1e-10)
    if state.dynamic:  # the others' trend line is a parameter: we keep it, `forward` estimates it again
        oracle = theta.forecast_theta(theta.forward_theta(fitted, Y), 252)["mean"] - Y[-1]
        assert state.after(NEWS).ahead(STEPS) == pytest.approx(oracle, abs=1e-10)


def test_the_oracle_agrees_with_an_arma():
    from statsforecast import arima

    rng = np.random.default_rng(3)
    noise = rng.normal(0, 0.01, 701)
    moves = np.zeros(700)
    for t in range(2, 700):
        moves[t] = 0.001 + 0.6 * moves[t - 1] - 0.3 * moves[t - 2] + noise[t] + 0.5 * noise[t - 1]
    y = 4 + np.cumsum(moves)
    state = fit_arma(y[:650])
    assert state.ar
    assert state.ma
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="possible convergence problem")
        fitted = arima.auto_arima_f(np.diff(y[:650]), d=0, seasonal=False, max_p=3, max_q=3)
    for found, rows in ((state, y[:650]), (state.after(y[650:]), y)):
        oracle = np.cumsum(arima.forecast_arima(arima.forward_arima(fitted, np.diff(rows)), 252)["mean"])
        assert found.ahead(STEPS) == pytest.approx(oracle, abs=1e-8)


def test_states_hold_nothing_but_numbers():
    for state in (fit_ets(PAST), fit_theta(PAST), fit_arma(PAST)):
        for part in fields(state):
            value = getattr(state, part.name)
            assert {type(v) for v in (value if isinstance(value, tuple) else (value,))} <= {int, float, bool}
