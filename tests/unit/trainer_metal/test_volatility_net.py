"""The net that forecasts how much the price will move."""

import numpy as np
import pytest

from cbi_common.core.errors import DataError
from cbi_common.core.horizon import Horizon
from cbi_common.testing.walks import poisoned, random_dataset
from cbi_common.timeseries.dataset import Dataset
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
    said = np.array([learner.forecast(model, DATA.until(i))[0] for i in range(70, 890, 7)])
    stormy = DATA.features[70:890:7, 1] == 1
    assert said[stormy].mean() == pytest.approx(0.03 * np.sqrt(5), rel=0.35)
    assert said[~stormy].mean() == pytest.approx(0.008 * np.sqrt(5), rel=0.5)
    assert said[stormy].min() > said[~stormy].max()


def test_equal_rows_and_seed_give_equal_bits_and_what_comes_later_none(artifact: bytes) -> None:
    assert DenseVolatility().fit(DATA, HORIZONS, PARAMS, ONES, 1) == artifact
    short = DATA.until(600)
    own = DenseVolatility().fit(short, HORIZONS, PARAMS, np.ones(601), 1)
    assert own == DenseVolatility().fit(poisoned(DATA, 600, "noise").until(600), HORIZONS, PARAMS, np.ones(601), 1)


def test_what_cannot_carry_a_fit_is_said() -> None:
    with pytest.raises(DataError, match="only 195 rows have a volatility"):
        DenseVolatility().fit(DATA.until(199), (Horizon.W1,), PARAMS, np.ones(200), 1)
    with pytest.raises(DataError, match="no feature varies"):
        DenseVolatility().fit(DATA.without(DATA.names), HORIZONS, PARAMS, ONES, 1)
