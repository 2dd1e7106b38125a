"""Features against slow references: naive loops, pandas, closed forms."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from ingest.domain import kinds

Floats = NDArray[np.float64]


@pytest.fixture
def price() -> Floats:
    walk: Floats = np.cumsum(0.015 * np.random.default_rng(4).standard_normal(400))
    return np.asarray(40 * np.exp(walk), dtype=np.float64)


@pytest.fixture
def gappy(price: Floats) -> Floats:
    holes = price.copy()
    holes[[3, 50, 51, 52, 200]] = np.nan
    holes[300:330] = np.nan
    return holes


def same(found: Floats, expected: Floats) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def naive(x: Floats, window: int, of: object) -> Floats:
    result = np.full(len(x), np.nan)
    for t in range(len(x)):
        known = [v for v in x[max(0, t - window + 1) : t + 1] if not math.isnan(v)]
        if len(known) >= 0.8 * window:
            result[t] = of(np.array(known))  # type: ignore[operator]
    return result


def test_returns_and_changes_need_both_ends(gappy: Floats) -> None:
    expected = [math.log(gappy[t] / gappy[t - 5]) if t >= 5 else math.nan for t in range(len(gappy))]
    same(kinds.log_return(gappy, sessions=5), np.array(expected))
    assert math.isnan(kinds.change(np.array([1.0, 2.0]), sessions=5)[1])


@pytest.mark.parametrize("window", [5, 21, 252])
def test_rolling_features_equal_a_naive_loop(gappy: Floats, window: int) -> None:
    mean, spread = naive(gappy, window, np.mean), naive(gappy, window, lambda v: np.std(v, ddof=1))
    same(kinds.ma_ratio(gappy, window=window), np.log(gappy / mean))
    same(kinds.zscore(gappy, window=window), (gappy - mean) / spread)
    low, high = naive(gappy, window, np.min), naive(gappy, window, np.max)
    same(kinds.range_place(gappy, window=window), (gappy - low) / (high - low))


def test_volatilities_equal_their_definitions(price: Floats) -> None:
    moves: Floats = np.diff(np.log(price), prepend=np.nan)
    squares: Floats = moves * moves
    rms = np.sqrt(252 * naive(squares, 21, np.mean))
    same(kinds.realised_vol(price, window=21), rms)
    slow = np.sqrt(252 * naive(squares, 63, np.mean))
    same(kinds.vol_ratio(price, fast=21, slow=63), np.log(rms / slow))
    high, low = price * 1.01, price * 0.99
    same(
        kinds.parkinson(high, low, window=21)[40:],
        np.full(360, math.log(1.01 / 0.99) * math.sqrt(252 / (4 * math.log(2)))),
    )


def test_a_random_walk_has_the_volatility_it_was_made_with() -> None:
    walk = np.exp(np.cumsum(0.2 / math.sqrt(252) * np.random.default_rng(1).standard_normal(5000)))
    assert np.nanmean(kinds.realised_vol(walk, window=252)) == pytest.approx(0.2, rel=0.03)


def test_rsi_and_macd_equal_pandas(price: Floats) -> None:
    moves = pd.Series(price).diff()
    up = moves.clip(lower=0).ewm(alpha=1 / 14, adjust=False, min_periods=14).mean()
    down = (-moves).clip(lower=0).ewm(alpha=1 / 14, adjust=False, min_periods=14).mean()
    same(kinds.rsi(price, window=14), (100 * up / (up + down)).to_numpy())
    series = pd.Series(price)
    line = (
        series.ewm(span=12, adjust=False, min_periods=12).mean()
        - series.ewm(span=26, adjust=False, min_periods=26).mean()
    )
    signal = line.ewm(span=9, adjust=False, min_periods=9).mean()
    same(kinds.macd(price, fast=12, slow=26, signal=9), ((line - signal) / series).to_numpy())


def test_rsi_knows_its_ends() -> None:
    rising = np.arange(1.0, 60.0)
    assert kinds.rsi(rising, window=14)[-1] == pytest.approx(100)
    assert kinds.rsi(rising[::-1].copy(), window=14)[-1] == pytest.approx(0)
    assert np.isnan(kinds.rsi(np.full(60, 5.0), window=14)).all()


def test_bollinger_is_one_half_at_the_mean_and_one_at_the_upper_band(price: Floats) -> None:
    window = pd.Series(price).rolling(20)
    lower, upper = window.mean() - 2 * window.std(), window.mean() + 2 * window.std()
    same(kinds.bollinger(price, window=20, width=2)[20:], ((price - lower) / (upper - lower)).to_numpy()[20:])


def test_what_stands_still_has_no_score() -> None:
    flat = np.full(300, 8.28)
    assert np.isnan(kinds.zscore(flat, window=252)).all()
    assert np.isnan(kinds.range_place(flat, window=252)).all()


def test_crush_boho_and_palm_have_the_units_of_the_trade() -> None:
    one = np.ones(1)
    # Oil 50 ¢/lb, meal 300 $/short ton, beans 1050 ¢/bu: 11 lb and 44 lb of products from a bushel.
    assert kinds.crush_margin(1050 * one, 300 * one, 50 * one)[0] == pytest.approx(0.022 * 300 + 11 * 0.50 - 10.50)
    assert kinds.oil_share(300 * one, 50 * one)[0] == pytest.approx(5.5 / (5.5 + 6.6))
    assert kinds.boho(50 * one, 2.5 * one)[0] == pytest.approx(7.5 * 0.50 - 2.5)
    assert kinds.palm_spread(50 * one, 1000 * one)[0] == pytest.approx(1102.3113 - 1000)


def test_the_year_goes_round_once() -> None:
    days = np.array(["2023-01-01", "2023-07-02", "2024-01-01", "2024-07-01"], dtype="datetime64[D]")
    same(kinds.season_cos(days, harmonic=1)[[0, 2]], np.ones(2))
    np.testing.assert_allclose(kinds.season_cos(days, harmonic=1)[[1, 3]], -np.ones(2), atol=1e-3)
    np.testing.assert_allclose(kinds.season_sin(days, harmonic=2), np.zeros(4), atol=0.04)
