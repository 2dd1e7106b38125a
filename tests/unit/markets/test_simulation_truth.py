"""The closed forms against simulation and enumeration: what is called true is true."""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
import pytest

from cbi_common.core.horizon import Horizon
from cbi_common.markets.simulation import LAST_DAY, Setting
from cbi_common.markets.simulation.history import History, draw
from cbi_common.markets.simulation.process import (
    FIRST_REGIME,
    STATE,
    evolve,
    make_process,
    regime_path,
    transition,
)
from cbi_common.markets.simulation.truth import Truth, infer, reveal
from cbi_common.timeseries.calendar import session_date, session_number, sessions_between

PATHS = 3000
STRONG = Setting(6300, 1, predictability=0.2)


@cache
def revealed(setting: Setting) -> Truth:
    return reveal(setting)


@cache
def drawn(setting: Setting) -> History:
    return draw(setting)


def continued(t: int, first: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Log prices of many continuations from session ``t`` of the strong market, (paths, 252); shocks come in pairs."""
    day = session_number(revealed(STRONG).days[t].item())
    days = sessions_between(session_date(day + 1), session_date(day + 252))
    process = make_process(STRONG.predictability)
    regimes = regime_path(rng.random((PATHS, 252)), first)
    shocks = rng.standard_normal((PATHS, 252, 5))
    shocks[1::2] = -shocks[::2]
    regimes[1::2] = regimes[::2]
    before = np.broadcast_to(drawn(STRONG).states[t], (PATHS, len(STATE)))
    return evolve(process, before, regimes, process.seasonal_moves(days), shocks)[..., 0]


@pytest.mark.parametrize("forecaster", ["oracle", "prices", "vix"])
@pytest.mark.parametrize("regime", range(4))
def test_the_expected_return_is_the_mean_over_many_continuations(forecaster: str, regime: int) -> None:
    truth, rng = revealed(STRONG), np.random.default_rng(10 + regime)
    t = int(rng.choice(np.flatnonzero(truth.regimes == regime)))
    belief = np.eye(4)[regime] if forecaster == "oracle" else truth.probabilities[forecaster][t]
    first = np.repeat(rng.choice(4, PATHS // 2, p=belief), 2)
    paths = continued(t, first, rng) - drawn(STRONG).states[t, 0]
    for horizon in Horizon:
        pairs = paths[:, horizon.sessions - 1].reshape(-1, 2).mean(axis=1)
        error = pairs.std() / np.sqrt(len(pairs))
        expected = truth.expected[forecaster][horizon][t]
        assert error < 0.01
        assert abs(pairs.mean() - expected) < 4 * error, horizon


def test_the_filter_gives_what_enumerating_every_regime_path_gives() -> None:
    process, rng = make_process(0.1), np.random.default_rng(3)
    surprise = process.drift[rng.integers(0, 4, 5)] + 0.02 * rng.standard_normal((5, len(STATE)))
    seen = (0, 1, 2, 3)
    weight = np.zeros(4)
    for path in product(range(4), repeat=5):
        fit, before = 0.0, FIRST_REGIME
        for t, regime in enumerate(path):
            loading = process.loading[regime][list(seen)]
            away = (surprise[t] - process.drift[regime])[list(seen)]
            covariance = loading @ loading.T
            fit += np.log(transition()[before, regime] + 1e-300) - 0.5 * away @ np.linalg.inv(covariance) @ away
            fit -= 0.5 * np.log(np.linalg.det(covariance))
            before = regime
        weight[path[-1]] += np.exp(fit)
    found = infer(process, surprise, tuple(STATE[i] for i in seen), np.eye(4)[FIRST_REGIME])
    assert found[-1] == pytest.approx(weight / weight.sum(), rel=1e-9)


@pytest.mark.parametrize(("name", "least"), [("prices", 0.72), ("vix", 0.76)])
def test_the_filter_is_calibrated_and_more_sight_makes_it_better(name: str, least: float) -> None:
    truth = revealed(Setting(31_500, 2))
    chance, happened = truth.probabilities[name].ravel(), (truth.regimes[:, None] == np.arange(4)).ravel()
    for low in (0.1, 0.3, 0.5, 0.7, 0.9):
        inside = (chance >= low) & (chance < low + 0.1)
        assert happened[inside].mean() == pytest.approx(chance[inside].mean(), abs=0.06)
    assert np.mean(truth.probabilities[name].argmax(axis=1) == truth.regimes) > least


def test_forecast_errors_cannot_be_told_from_the_forecast() -> None:
    truth, oil = revealed(Setting(31_500, 2, predictability=0.1)), drawn(Setting(31_500, 2, predictability=0.1))
    for forecaster, expected in truth.expected.items():
        happened = oil.states[5:, 0] - oil.states[:-5, 0]
        slope = np.polyfit(expected[Horizon.W1][:-5], happened, 1)[0]
        assert slope == pytest.approx(1, abs=0.12), forecaster


def skill(setting: Setting, forecaster: str, horizon: Horizon) -> float:
    truth, price = revealed(setting), np.exp(drawn(setting).states[:, 0])
    h = horizon.sessions
    forecast = price[:-h] * np.exp(truth.expected[forecaster][horizon][:-h])
    return 1 - float(np.abs(forecast - price[h:]).mean() / np.abs(price[:-h] - price[h:]).mean())


@pytest.mark.parametrize("forecaster", ["oracle", "prices", "vix"])
def test_a_predictable_market_can_be_beaten_and_an_unpredictable_one_hardly(forecaster: str) -> None:
    def mean_skill(predictability: float, horizon: Horizon) -> float:
        settings = (Setting(6300, seed, predictability) for seed in range(1, 5))
        return float(np.mean([skill(setting, forecaster, horizon) for setting in settings]))

    assert max(mean_skill(0.2, horizon) for horizon in (Horizon.W1, Horizon.M3, Horizon.M6)) >= 0.15
    assert mean_skill(0.2, Horizon.W1) >= 0.15
    assert mean_skill(0.0, Horizon.W1) < 0.03


def test_nobody_foresees_a_drift_and_everybody_knows_of_it_from_its_day_on() -> None:
    change = LAST_DAY.replace(year=2020)
    plain, drifted = revealed(STRONG), revealed(Setting(6300, 1, predictability=0.2, drift_at=change))
    before = plain.days < np.datetime64(change)
    for forecaster in plain.expected:
        for horizon in Horizon:
            one, other = plain.expected[forecaster][horizon], drifted.expected[forecaster][horizon]
            assert np.allclose(one[before], other[before], atol=1e-12)
            assert not np.allclose(one[~before], other[~before], atol=1e-3)
    unlinked, states = make_process(0.2, linked=False), drawn(Setting(6300, 1, 0.2, change)).states
    assert unlinked.matrix[0, 1] == 0
    assert np.ptp(states[~before][:, 1] - states[~before][:, 0]) > 0.3


def test_whoever_reads_no_news_knows_the_less_the_nearer_the_day() -> None:
    truth, states = revealed(STRONG), drawn(STRONG).states
    process = make_process(STRONG.predictability)
    for horizon in Horizon:
        missed = truth.expected["vix"][horizon] - truth.expected["unread"][horizon]
        ahead = np.linalg.matrix_power(process.matrix, horizon.sessions)
        np.testing.assert_allclose(missed, ahead[0, STATE.index("news")] * states[:, STATE.index("news")], atol=1e-12)
    week, year = (truth.expected[name][h] for name, h in (("unread", Horizon.W1), ("unread", Horizon.M12)))
    read_week, read_year = (truth.expected["vix"][h] for h in (Horizon.W1, Horizon.M12))
    assert np.std(read_week - week) / np.std(read_week) > 5 * np.std(read_year - year) / np.std(read_year)
