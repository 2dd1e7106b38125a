"""The net that forecasts how much the price will move."""

import numpy as np
import pytest

from cbi_common.core.errors import DataError
from cbi_common.core.horizon import Horizon
from cbi_common.testing.walks import poisoned, random_dataset
from cbi_common.timeseries.dataset import Dataset
from cbi_common.timeseries.volatility import ewma_variance, realised_variance
from trainer_metal.adapters.keras_volatility import DenseVolatility

HORIZONS = (Horizon.W1, Horizon.M1)
PARAMS = {"units": [8], "epochs": 8, "batch": 32, "learning_rate": 0.01, "l2": 0.0, "dropout": 0.0}


def storms(n: int = 900) -> Dataset:
    """Quiet and stormy quarters, and a column that says which."""
    base = random_dataset(n, columns=3, seed=6)
    stormy = (np.arange(n) // 63) % 2 == 1
    moves = np.random.default_rng(6).normal(size=n) * np.where(stormy, 0.03, 0.008)
    features = np.column_stack([np.random.default_rng(7).normal(size=n), stormy.astype(float)])
    return Dataset(base.sessions, base.dates, 50 * np.exp(np.cumsum(moves)), features, ("noise", "storm"))


DATA = storms()
ONES = np.ones(900)


@pytest.fixture(scope="module")
def artifact() -> bytes:
    return DenseVolatility().fit(DATA, HORIZONS, PARAMS, ONES, 1)


def test_storms_are_told_from_quiet_weather_and_both_are_right_on_average(artifact: bytes) -> None:
    learner = DenseVolatility()
    model = learner.load(artifact)
    rows = np.arange(21, 895)
    said = np.array([learner.forecast(model, DATA.until(int(i)))[0] for i in rows])
    stormy = DATA.features[rows, 1] == 1
    assert said[stormy].mean() > 2 * said[~stormy].mean()
    realised = realised_variance(DATA.sessions, DATA.price, 5)[rows]
    assert np.mean(realised / said**2) == pytest.approx(1.0, abs=0.15)


def test_what_the_net_has_not_learned_is_ewma() -> None:
    learner, calm = DenseVolatility(), random_dataset(900, columns=2, seed=3)
    idle = {**PARAMS, "epochs": 1, "learning_rate": 1e-9}
    model = learner.load(learner.fit(calm, HORIZONS, idle, ONES, 1))
    said = learner.forecast(model, calm)
    expected = np.sqrt(ewma_variance(calm.sessions, calm.price)[-1] * np.array([5, 21]))
    assert said == pytest.approx(expected, rel=0.05)


@pytest.mark.proof
def test_equal_rows_and_seed_give_equal_bits_and_what_comes_later_none(artifact: bytes) -> None:
    assert DenseVolatility().fit(DATA, HORIZONS, PARAMS, ONES, 1) == artifact
    short = DATA.until(600)
    own = DenseVolatility().fit(short, HORIZONS, PARAMS, np.ones(601), 1)
    assert own == DenseVolatility().fit(poisoned(DATA, 600, "noise").until(600), HORIZONS, PARAMS, np.ones(601), 1)


def test_what_cannot_carry_a_fit_is_said() -> None:
    with pytest.raises(DataError, match="only 174 rows have a volatility"):
        DenseVolatility().fit(DATA.until(199), (Horizon.W1,), PARAMS, np.ones(200), 1)
    with pytest.raises(DataError, match="no feature varies"):
        DenseVolatility().fit(DATA.without(DATA.names), HORIZONS, PARAMS, ONES, 1)
