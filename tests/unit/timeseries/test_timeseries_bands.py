from math import ceil, floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbi_common.timeseries.bands import LEVELS, bands
from cbi_common.timeseries.losses import coverage

Arrays = dict[str, np.ndarray]


def exchangeable(n: int, horizon: int = 5, seed: int = 0) -> Arrays:
    """Residuals of a skewed distribution times a known, changing volatility; outcomes unknown at the end."""
    rng = np.random.default_rng(seed)
    sessions = np.arange(n, dtype=np.int64) * 5
    sd = np.exp(rng.normal(-3.0, 0.7, n))
    y_hat = rng.normal(0.0, 0.01, n)
    y = y_hat + sd * (rng.gamma(4.0, 0.5, n) - 2.0)
    y[sessions + horizon > sessions[-1]] = np.nan
    return {"y_hat": y_hat, "sd": sd, "y": y, "sessions": sessions, "target_sessions": sessions + horizon}


def naive_ends(data: Arrays, alpha: float, window: int | None, rate: float, least: int) -> list[tuple[float, float]]:
    """Every cutoff starts from nothing: collect what had matured, replay the feedback, sort, pick."""
    sessions, targets, y = data["sessions"], data["target_sessions"], data["y"]
    ends: list[tuple[float, float]] = []
    for t, now in enumerate(sessions):
        rows = [i for i in range(len(y)) if targets[i] <= now and not np.isnan(y[i])]
        low = high = alpha / 2
        for i in rows:
            if np.isnan(ends[i][0]):
                continue
            step = rate / max(sum(1 for s in sessions if sessions[i] <= s < targets[i]), 1)
            low = min(max(low + step * (alpha / 2 - (y[i] < ends[i][0])), alpha / 10), 1.5 * alpha)
            high = min(max(high + step * (alpha / 2 - (y[i] > ends[i][1])), alpha / 10), 1.5 * alpha)
        used = sorted((y[i] - data["y_hat"][i]) / data["sd"][i] for i in rows[-(window or len(y)) :])
        if len(used) < least:
            ends.append((float("nan"), float("nan")))
            continue
        k = len(used)
        lower = used[max(floor((k + 1) * low), 1) - 1]
        upper = used[min(ceil((k + 1) * (1 - high)), k) - 1]
        ends.append(tuple(data["y_hat"][t] + data["sd"][t] * np.array([lower, upper])))
    return ends


@pytest.mark.parametrize("rate", [0.0, 0.05])
@pytest.mark.parametrize("window", [None, 40])
@pytest.mark.parametrize("horizon", [5, 63])
def test_equals_recomputing_everything_at_every_cutoff(horizon: int, window: int | None, rate: float) -> None:
    data = exchangeable(100, horizon, seed=11)
    found = bands(**data, window=window, rate=rate, min_residuals=30)
    expected = np.array(naive_ends(data, 0.1, window, rate, 30))
    np.testing.assert_allclose(np.column_stack([found.lower, found.upper]), expected, rtol=1e-12)


@pytest.mark.parametrize("rate", [0.0, 0.01])
@pytest.mark.parametrize("horizon", [5, 63])
def test_exchangeable_residuals_are_covered_as_promised(rate: float, horizon: int) -> None:
    data = exchangeable(6000, horizon)
    found = bands(**data, rate=rate)
    known = ~np.isnan(found.lower) & ~np.isnan(data["y"])
    y, error = data["y"][known], np.sqrt(0.05 * 0.95 / known.sum())
    assert np.mean(y < found.lower[known]) == pytest.approx(0.05, abs=4 * error)
    assert np.mean(y > found.upper[known]) == pytest.approx(0.05, abs=4 * error)
    assert np.mean(y[:, None] <= found.quantiles[known], axis=0) == pytest.approx(LEVELS, abs=0.03)


def test_finite_sample_coverage_is_guaranteed_on_average() -> None:
    """With 59 residuals each end is the 3rd from outside: a new one lies beyond it with probability 3 / 60 exactly."""
    misses = []
    for seed in range(500):
        data = exchangeable(61, seed=seed)
        outcome = data["y_hat"][59] + data["sd"][59] * (np.random.default_rng(10**6 + seed).gamma(4.0, 0.5) - 2.0)
        found = bands(**data, rate=0.0)
        assert found.residuals[59] == 59
        misses.append(outcome < found.lower[59] or outcome > found.upper[59])
    assert np.mean(misses) == pytest.approx(0.1, abs=3 * np.sqrt(0.09 / 500))


def test_scaling_by_volatility_covers_calm_and_storm_alike() -> None:
    data = exchangeable(4000)
    found = bands(**data)
    known = ~np.isnan(found.lower) & ~np.isnan(data["y"])
    for part in (data["sd"] < 0.04, data["sd"] > 0.06):
        rows = known & part
        assert coverage(found.lower[rows], found.upper[rows], data["y"][rows]) == pytest.approx(0.9, abs=0.03)


def test_adaptation_restores_coverage_after_the_volatility_forecast_breaks() -> None:
    data = exchangeable(3000)
    late = np.arange(3000) >= 1000
    data["y"] = data["y_hat"] + np.where(late, 2.0, 1.0) * (data["y"] - data["y_hat"])
    rows = late & ~np.isnan(data["y"]) & (np.arange(3000) < 1500)
    fixed, adaptive = (bands(**data, rate=rate) for rate in (0.0, 0.05))
    before, after = (coverage(b.lower[rows], b.upper[rows], data["y"][rows]) for b in (fixed, adaptive))
    assert before < after
    assert abs(after - 0.9) < 0.6 * abs(before - 0.9)


@given(st.integers(0, 10**6), st.integers(0, 149))
def test_nothing_up_to_a_cutoff_depends_on_what_comes_after(seed: int, cut: int) -> None:
    data = exchangeable(150, 21)
    poisoned = {name: values.copy() for name, values in data.items()}
    rng = np.random.default_rng(seed)
    future = data["target_sessions"] > cut * 5
    poisoned["y"][future] = rng.normal(size=np.count_nonzero(future))
    for name in ("y_hat", "sd"):
        poisoned[name][cut + 1 :] = rng.exponential(size=149 - cut)
    shorter = {name: values[: cut + 1] for name, values in data.items()}
    whole = bands(**data, rate=0.05)
    for changed in (bands(**poisoned, rate=0.05), bands(**shorter, rate=0.05)):
        for name in ("lower", "upper", "quantiles", "probability_up", "tails", "residuals"):
            assert getattr(whole, name)[: cut + 1].tobytes() == getattr(changed, name)[: cut + 1].tobytes()


@pytest.mark.parametrize("alpha", [0.1, 0.2])
def test_quantiles_never_cross_and_the_outer_two_are_the_band(alpha: float) -> None:
    data = exchangeable(400)
    data["y"][200:] *= 0.01  # the band narrows fast, until the quantiles that do not adapt lie outside it
    found = bands(**data, rate=0.2, alpha=alpha)
    known = ~np.isnan(found.lower)
    assert (np.diff(found.quantiles[known], axis=1) >= 0).all()
    if alpha == 0.1:
        np.testing.assert_array_equal(found.quantiles[:, 0], found.lower)
        np.testing.assert_array_equal(found.quantiles[:, -1], found.upper)


def test_levels_stay_clipped_however_late_and_one_sided_the_feedback() -> None:
    data = exchangeable(800, 252)
    data["y"][100:] += 1.0
    found = bands(**data, rate=1.0)
    drawn = found.tails[~np.isnan(found.lower)]
    assert drawn.min() == pytest.approx(0.01)
    assert drawn.max() == pytest.approx(0.15)


def test_there_is_no_band_before_the_minimum_of_matured_residuals() -> None:
    data = exchangeable(120, 63)
    found = bands(**data)
    np.testing.assert_array_equal(np.isnan(found.lower), found.residuals < 50)
    for values in (found.upper, found.probability_up, found.quantiles[:, 2], found.tails[:, 0]):
        np.testing.assert_array_equal(np.isnan(values), np.isnan(found.lower))


def test_without_a_volatility_there_is_no_band_and_no_residual() -> None:
    data = exchangeable(200)
    data["sd"][[20, 150]] = np.nan
    found = bands(**data)
    assert np.isnan(found.lower[150])
    assert found.residuals[-1] == np.count_nonzero(~np.isnan(data["y"])) - 2


def test_probability_up_is_the_share_of_residuals_that_take_the_price_up() -> None:
    rng = np.random.default_rng(0)
    n = 4000
    sessions = np.arange(n, dtype=np.int64) * 5
    y_hat = np.full(n, 0.02)
    y = y_hat + 0.04 * rng.standard_normal(n)
    found = bands(y_hat, np.full(n, 0.04), y, sessions, sessions + 5)
    assert found.probability_up[-1] == pytest.approx(0.6915, abs=0.02)  # Phi(0.5)
    known = found.probability_up[~np.isnan(found.probability_up)]
    assert ((known > 0) & (known < 1)).all()
