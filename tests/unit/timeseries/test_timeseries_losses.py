from math import log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbi_common.timeseries import losses

PRICES = st.lists(st.tuples(st.floats(5, 100), st.floats(5, 100)), min_size=1, max_size=40)
BANDS = st.lists(st.tuples(*[st.floats(-100, 100)] * 3), min_size=1, max_size=40)


def columns(rows: list[tuple[float, ...]]) -> list[np.ndarray]:
    return [np.array(column) for column in zip(*rows, strict=True)]


@given(PRICES)
def test_point_losses_equal_naive_loops(rows: list[tuple[float, float]]) -> None:
    forecast, actual = columns(rows)
    n = len(rows)
    assert losses.mae(forecast, actual) == pytest.approx(sum(abs(f - a) for f, a in rows) / n)
    assert losses.mape(forecast, actual) == pytest.approx(sum(abs(f - a) / a for f, a in rows) / n)
    assert losses.mase(forecast, actual, 2.0) == pytest.approx(sum(abs(f - a) for f, a in rows) / n / 2)


@given(PRICES)
def test_r2_equals_a_naive_loop(rows: list[tuple[float, float]]) -> None:
    forecast, actual = columns(rows)
    mean = sum(a for _, a in rows) / len(rows)
    spread = sum((a - mean) ** 2 for _, a in rows)
    if spread < 1e-6:
        return
    expected = 1 - sum((f - a) ** 2 for f, a in rows) / spread
    assert losses.r2(forecast, actual) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_r2_of_constant_prices_is_unknown() -> None:
    assert losses.r2(np.array([1.0, 2.0]), np.array([2.0, 2.0])) is None


def test_r2_of_the_mean_is_zero() -> None:
    assert losses.r2(np.full(3, 2.0), np.array([1.0, 2.0, 3.0])) == 0.0


@given(PRICES, st.floats(0.01, 0.99))
def test_pinball_equals_a_naive_loop(rows: list[tuple[float, float]], level: float) -> None:
    forecast, actual = columns(rows)
    naive = sum(level * (a - f) if a >= f else (1 - level) * (f - a) for f, a in rows) / len(rows)
    assert losses.pinball(forecast, actual, level) == pytest.approx(naive)
    assert losses.pinball(forecast, actual, 0.5) == pytest.approx(losses.mae(forecast, actual) / 2)


@pytest.mark.parametrize("level", [0.05, 0.5, 0.95])
def test_pinball_is_smallest_at_the_quantile(level: float) -> None:
    actual = np.arange(1.0, 200.0)
    candidates = np.arange(1.0, 200.0)
    scores = [losses.pinball(np.full(199, c), actual, level) for c in candidates]
    assert candidates[int(np.argmin(scores))] == pytest.approx(np.quantile(actual, level), abs=1.0)


@given(BANDS, st.floats(0.02, 0.5))
def test_winkler_and_coverage_equal_naive_loops(rows: list[tuple[float, float, float]], alpha: float) -> None:
    ordered = [(min(a, b), max(a, b), y) for a, b, y in rows]
    total, inside = 0.0, 0
    for lower, upper, actual in ordered:
        total += upper - lower
        if actual < lower:
            total += 2 / alpha * (lower - actual)
        elif actual > upper:
            total += 2 / alpha * (actual - upper)
        else:
            inside += 1
    assert losses.winkler(*columns(ordered), alpha) == pytest.approx(total / len(rows))
    assert losses.coverage(*columns(ordered)) == inside / len(rows)


@given(st.lists(st.tuples(*[st.sampled_from([-0.2, -0.1, 0.0, 0.1])] * 2), min_size=1))
def test_direction_counts_rows_where_both_moved(rows: list[tuple[float, float]]) -> None:
    moved = [f * a > 0 for f, a in rows if f != 0 and a != 0]
    expected = sum(moved) / len(moved) if moved else None
    assert losses.directional_accuracy(*columns(rows)) == expected


@given(st.lists(st.tuples(*[st.floats(1e-6, 10)] * 2), min_size=1, max_size=40))
def test_variance_losses_equal_naive_loops(rows: list[tuple[float, float]]) -> None:
    forecast, realised = columns(rows)
    naive = sum(r / f - log(r / f) - 1 for f, r in rows) / len(rows)
    assert losses.qlike(forecast, realised) == pytest.approx(naive, rel=1e-9, abs=1e-12)
    daily = sum(abs(sqrt(f / 21) - sqrt(r / 21)) for f, r in rows) / len(rows)
    assert losses.volatility_mae(forecast, realised, 21) == pytest.approx(100 * daily)


def test_qlike_is_zero_for_a_perfect_forecast_and_punishes_too_low_more_than_too_high() -> None:
    one = np.ones(1)
    assert losses.qlike(one, one) == 0.0
    assert losses.qlike(0.5 * one, one) > losses.qlike(2.0 * one, one) > 0.0


def test_naive_mae_is_that_of_no_change_over_the_horizon() -> None:
    sessions, price = np.array([0, 1, 2, 4]), np.array([10.0, 12.0, 9.0, 13.0])
    assert losses.naive_mae(sessions, price, 2) == pytest.approx((1.0 + 4.0) / 2)  # 0 to 2 and 2 to 4
    assert losses.naive_mae(sessions, price, 9) is None


def test_skill() -> None:
    assert losses.skill(0.9, 1.0) == pytest.approx(0.1)
    assert losses.skill(1.0, 0.0) is None


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_r2_does_not_depend_on_the_unit(scale: float) -> None:
    actual, forecast, baseline = np.array([1.0, 2.0, 4.0]), np.array([1.5, 2.0, 3.0]), np.array([1.0, 1.0, 2.0])
    assert losses.r2(scale * forecast, scale * actual) == pytest.approx(1 - 1.25 / (14 / 3))
    assert losses.r2_against(scale * forecast, scale * baseline, scale * actual) == pytest.approx(1 - 1.25 / 5)
