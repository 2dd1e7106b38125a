"""Kinds at their ends and in closed form; `test_kind_oracles` compares each with another implementation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from arch.unitroot import VarianceRatio
from numpy.typing import NDArray

from ingest.domain.kinds import dependence, moves, products, season, sessions, standing, volatility

Floats = NDArray[np.float64]
Dates = NDArray[np.datetime64]

CBOT_OIL = (1, 3, 5, 7, 8, 9, 10, 12)


@pytest.fixture
def price() -> Floats:
    walk: Floats = np.cumsum(0.015 * np.random.default_rng(4).standard_normal(400))
    return np.asarray(40 * np.exp(walk), dtype=np.float64)


@pytest.fixture(scope="module")
def bars() -> tuple[Floats, Floats, Floats, Floats]:
    """Open, high, low and close of 3,000 days of a Brownian motion of 30 % a year; a third of it falls at night."""
    rng = np.random.default_rng(8)
    steps = np.sqrt(2 / 3) * 0.3 / math.sqrt(252 * 400) * rng.standard_normal((3000, 400))
    night = np.sqrt(1 / 3) * 0.3 / math.sqrt(252) * rng.standard_normal(3000)
    day = np.cumsum(steps, axis=1)
    ends = np.cumsum(night + day[:, -1])
    opened = np.concatenate([[0.0], ends[:-1]]) + night
    path = opened[:, None] + np.column_stack([np.zeros(3000), day])
    return np.exp(opened), np.exp(path.max(axis=1)), np.exp(path.min(axis=1)), np.exp(ends)


def dates(*days: str) -> Dates:
    return np.array(days, dtype="datetime64[D]")


def weekdays(first: str, count: int) -> Dates:
    return np.busday_offset(first, np.arange(count), roll="forward")


def test_a_move_needs_both_its_ends() -> None:
    assert np.isnan(moves.change(np.array([1.0, 2.0]), sessions=5)).all()
    assert np.isnan(moves.log_return(np.array([1.0, np.nan, 2.0, 4.0]), sessions=1)[:3]).all()
    assert moves.log_return(np.array([1.0, np.nan, 2.0, 4.0]), sessions=1)[3] == pytest.approx(math.log(2))


def test_four_fifths_of_a_window_must_be_known(price: Floats) -> None:
    gappy = price.copy()
    gappy[100:105] = np.nan
    found = standing.ma_ratio(gappy, window=21)
    assert np.isnan(found[[15, 104, 105]]).tolist() == [True, True, True]
    assert not np.isnan(found[[16, 99, 121]]).any()


def test_volatilities_are_those_the_motion_was_made_with(bars: tuple[Floats, Floats, Floats, Floats]) -> None:
    opened, high, low, close = bars
    within = 0.3 * math.sqrt(2 / 3)
    assert volatility.realised_vol(close, window=2500)[-1] == pytest.approx(0.3, rel=0.03)
    assert volatility.yang_zhang(opened, high, low, close, window=2500)[-1] == pytest.approx(0.3, rel=0.03)
    # A path of 400 steps does not reach the extremes of the motion itself.
    assert volatility.parkinson(high, low, window=2500)[-1] == pytest.approx(within, rel=0.06)
    assert volatility.garman_klass(opened, high, low, close, window=2500)[-1] == pytest.approx(within, rel=0.06)
    assert volatility.downside_share(close, window=2500)[-1] == pytest.approx(0.5, abs=0.03)
    assert volatility.jump_share(close, window=2500)[-1] == pytest.approx(0, abs=0.04)
    assert volatility.vol_premium(np.full(3000, 30.0), close, window=2500)[-1] == pytest.approx(0, abs=0.03)
    assert sessions.close_place(high, low, close, window=2500)[-1] == pytest.approx(0.5, abs=0.03)


def test_a_leap_shows_in_the_jump_share_the_skewness_and_the_downside() -> None:
    calm = 0.01 * np.random.default_rng(2).standard_normal(80)
    calm[50] = -0.15
    fallen = np.exp(np.cumsum(calm))
    assert volatility.jump_share(fallen, window=63)[-1] > 0.5
    assert volatility.skewness(fallen, window=63)[-1] < -3
    assert volatility.downside_share(fallen, window=63)[-1] > 0.8


@pytest.mark.parametrize("lags", [2, 5])
def test_the_variance_ratio_is_that_of_arch(price: Floats, lags: int) -> None:
    window = 252
    found = dependence.variance_ratio(price, sessions=lags, window=window)
    for t in (252, 300, 399):
        test = VarianceRatio(np.log(price[t - window : t + 1]), lags=lags, trend="n", debiased=False)
        # arch divides by the number of daily returns, which is more than there are overlapping ones.
        assert found[t] == pytest.approx(test.vr * window / (window - lags + 1), rel=1e-9)


def test_returns_that_go_on_and_that_revert() -> None:
    rng, trending = np.random.default_rng(5), np.zeros(4000)
    for t, shock in enumerate(0.01 * rng.standard_normal(3999), start=1):
        trending[t] = 0.3 * trending[t - 1] + shock
    rising = np.exp(np.cumsum(trending))
    assert dependence.autocorrelation(rising, window=3500, lag=1)[-1] == pytest.approx(0.3, abs=0.04)
    assert dependence.variance_ratio(rising, sessions=2, window=3500)[-1] == pytest.approx(1.3, abs=0.04)
    swing = np.exp(0.01 * (np.arange(300) % 2))
    assert dependence.autocorrelation(swing, window=63, lag=1)[-1] == pytest.approx(-1, abs=0.01)


def test_a_multiple_has_its_beta_and_a_correlation_of_one(price: Floats) -> None:
    assert dependence.beta(price**3, price, window=63)[-1] == pytest.approx(3)
    assert dependence.correlation(price**3, price, window=63)[-1] == pytest.approx(1)
    assert dependence.correlation(1 / price, price, window=63)[-1] == pytest.approx(-1)


def test_rsi_and_range_know_their_ends() -> None:
    rising = np.arange(1.0, 60.0)
    assert standing.rsi(rising, window=14)[-1] == pytest.approx(100)
    assert standing.rsi(rising[::-1].copy(), window=14)[-1] == pytest.approx(0)
    assert standing.range_place(rising, window=21)[-1] == 1
    assert standing.drawdown(rising, window=21)[-1] == 0
    assert standing.drawdown(np.append(rising, 29.5), window=21)[-1] == pytest.approx(math.log(0.5))


def test_what_stands_still_says_nothing() -> None:
    flat = np.full(300, 8.28)
    for found in (
        standing.zscore(flat, window=252),
        standing.range_place(flat, window=252),
        standing.rsi(flat, window=14),
        standing.trend_strength(flat, window=63),
        volatility.vol_ratio(flat, fast=21, slow=63),
        volatility.skewness(flat, window=63),
        dependence.correlation(flat, flat, window=63),
        dependence.variance_ratio(flat, sessions=5, window=63),
        sessions.close_place(flat, flat, flat, window=5),
    ):
        assert np.isnan(found).all()


def test_products_have_the_units_of_the_trade() -> None:
    one = np.ones(1)
    # Oil 50 ¢/lb, meal 300 $/short ton, beans 1050 ¢/bu: 11 lb and 44 lb of products from a bushel.
    assert products.crush_margin(1050 * one, 300 * one, 50 * one)[0] == pytest.approx(0.022 * 300 + 11 * 0.50 - 10.50)
    assert products.oil_share(300 * one, 50 * one)[0] == pytest.approx(5.5 / (5.5 + 6.6))
    assert products.boho(50 * one, 2.5 * one)[0] == pytest.approx(7.5 * 0.50 - 2.5)
    assert products.palm_spread(50 * one, 1000 * one)[0] == pytest.approx(1102.3113 - 1000)
    # Gasoline 2.40 and heating oil 2.70 $/gal are 100.80 and 113.40 $/bbl.
    assert products.crack_spread(2.4 * one, 2.7 * one, 80 * one)[0] == pytest.approx((2 * 100.8 + 113.4) / 3 - 80)
    assert products.diesel_crack(2.7 * one, 80 * one)[0] == pytest.approx(33.4)
    assert products.hedging_pressure(300 * one, 100 * one)[0] == pytest.approx(0.5)


def test_the_year_goes_round_once() -> None:
    days = dates("2023-01-01", "2023-07-02", "2024-01-01", "2024-07-01")
    np.testing.assert_allclose(season.season_cos(days, harmonic=1)[[0, 2]], np.ones(2))
    np.testing.assert_allclose(season.season_cos(days, harmonic=1)[[1, 3]], -np.ones(2), atol=1e-3)
    np.testing.assert_allclose(season.season_sin(days, harmonic=2), np.zeros(4), atol=0.04)


def test_a_season_may_go_over_the_turn_of_the_year() -> None:
    days = dates("2023-10-31", "2023-11-01", "2023-12-31", "2024-03-31", "2024-04-01")
    found = season.time_of_year(days, first=(11, 1), last=(3, 31))
    np.testing.assert_allclose(found, [0, 1 / 152, 61 / 152, 1, 0])


def test_the_front_contract_stops_trading_in_the_middle_of_a_delivery_month() -> None:
    days = dates("2024-03-14", "2024-03-15", "2024-05-14", "2024-05-15", "2024-10-14", "2024-10-15", "2024-12-16")
    found = season.expiry_days(days, months=CBOT_OIL, day=15)
    # March, May, May, July, October, December, January.
    assert found.tolist() == [1, 61, 1, 61, 1, 61, 30]


def test_a_step_from_contract_to_contract_is_a_roll_return() -> None:
    days = weekdays("2023-01-02", 600)
    rolled = np.flatnonzero(np.diff(season.expiry_days(days, months=CBOT_OIL, day=15)) > 0) + 1
    stepped = 50 * np.exp(0.02 * np.isin(np.arange(600), rolled).cumsum())
    found = season.roll_return(days, stepped, months=CBOT_OIL, day=15, rolls=8)
    assert np.isnan(found[: rolled[7]]).all()
    np.testing.assert_allclose(found[rolled[7] :], 0.16)


def test_what_followed_in_earlier_years_is_known_when_it_has_happened() -> None:
    days = weekdays("2010-01-04", 1600)
    turn = 2 * math.pi * np.asarray((days - days.astype("datetime64[Y]")).astype(np.float64)) / 365.25
    seasonal = np.exp(0.1 * np.sin(turn))
    found = season.season_return(days, seasonal, sessions=21, around=5, years=3)
    following = np.log(seasonal[21:] / seasonal[:-21])
    known = ~np.isnan(found[:-21])
    # Three whole years go before.
    assert np.flatnonzero(known)[0] == pytest.approx(3 * 261, abs=6)
    np.testing.assert_allclose(found[:-21][known], following[known], atol=0.004)
    # Half a year ahead of the same day a year ago had happened by then; sixteen months ahead had not.
    with_unknown = season.season_return(days, seasonal, sessions=340, around=5, years=1)
    assert np.flatnonzero(~np.isnan(with_unknown))[0] >= 340


def test_an_anomaly_is_what_the_season_does_not_explain() -> None:
    days = weekdays("2010-01-04", 1600)
    turn = 2 * math.pi * np.asarray((days - days.astype("datetime64[Y]")).astype(np.float64)) / 365.25
    usual = 5 + np.cos(turn)
    usual[1500:] += 2
    found = season.season_anomaly(days, usual, around=7, years=3)
    assert np.abs(found[900:1500]).max() < 0.06
    np.testing.assert_allclose(found[1500:], 2, atol=0.06)
