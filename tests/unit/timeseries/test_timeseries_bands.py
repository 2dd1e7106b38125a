from math import ceil, erf, sqrt

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cbi_common.timeseries.bands import LEVELS, Residuals, bands
from cbi_common.timeseries.losses import coverage

Arrays = dict[str, np.ndarray]


def exchangeable(n: int, horizon: int = 5, seed: int = 0) -> Arrays:
    """Residuals of a heavy-tailed distribution times a known, changing volatility; outcomes unknown at the end."""
    rng = np.random.default_rng(seed)
    sessions = np.arange(n, dtype=np.int64) * 5
    sd = np.exp(rng.normal(-3.0, 0.7, n))
    y_hat = rng.normal(0.0, 0.01, n)
    y = y_hat + sd * rng.standard_t(4.0, n) / np.sqrt(2.0)
    y[sessions + horizon > sessions[-1]] = np.nan
    return {"y_hat": y_hat, "sd": sd, "y": y, "sessions": sessions, "target_sessions": sessions + horizon}


def naive_halves(data: Arrays, alpha: float, rate: float, least: int) -> list[float]:
    """Half widths without a prior. Every cutoff starts from nothing: collect what had matured, replay the feedback,
    sort, pick."""
    sessions, targets, y = data["sessions"], data["target_sessions"], data["y"]
    sizes = np.abs(y - data["y_hat"]) / data["sd"]
    halves: list[float] = []
    for now in sessions:
        rows = [i for i in range(len(y)) if targets[i] <= now and not np.isnan(y[i])]
        level = alpha
        for i in rows:
            if np.isnan(halves[i]):
                continue
            step = rate / max(sum(1 for s in sessions if sessions[i] <= s < targets[i]), 1)
            level = min(max(level + step * (alpha - (sizes[i] > halves[i])), alpha / 5), 3 * alpha)
        used = sorted(sizes[rows].tolist())
        k = len(used)
        halves.append(used[ceil((k + 1) * (1 - level) - 1e-12) - 1] if k >= least else float("nan"))
    return halves


@pytest.mark.parametrize("rate", [0.0, 0.05])
@pytest.mark.parametrize("horizon", [5, 63])
def test_equals_recomputing_everything_at_every_cutoff(horizon: int, rate: float) -> None:
    data = exchangeable(100, horizon, seed=11)
    found = bands(**data, prior=0.0, rate=rate, min_residuals=30)
    half = np.array(naive_halves(data, 0.1, rate, 30)) * data["sd"]
    np.testing.assert_allclose(found.upper, data["y_hat"] + half, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.lower, data["y_hat"] - half, rtol=1e-9, atol=1e-12)


@settings(max_examples=40)
@given(st.lists(st.floats(0, 5), min_size=2, max_size=40), st.floats(0.1, 30), st.floats(1, 200), st.floats(0.01, 0.98))
def test_the_size_is_where_the_share_is_reached(
    sizes: list[float], independent: float, weight: float, share: float
) -> None:
    pooled = Residuals(tuple(sorted(sizes)), independent, None, weight + 1.0)
    group = Residuals(tuple(sorted(sizes[::2])), independent / 2, pooled, weight)
    for found in (pooled, group):
        size = found.within(share)
        assume(found.share_within(40.0) >= share)
        assert found.share_within(size) >= share - 1e-12
        assert size < 1e-9 or found.share_within(size - 1e-9) < share
        assert size == 0 or found.share_above(size) + found.share_above(-size) == pytest.approx(1.0)


def test_a_share_that_so_few_cannot_show_gives_the_largest() -> None:
    assert Residuals((0.5, 1.5), 2.0, None, 0.0).within(0.95) == 1.5


def test_without_residuals_the_prior_is_the_normal_distribution() -> None:
    prior = Residuals((), 0.0, None, 100.0)
    assert prior.within(0.9) == pytest.approx(1.6449, abs=1e-4)
    assert prior.share_above(0.5) == pytest.approx(0.3085, abs=1e-4)


@pytest.mark.parametrize("rate", [0.0, 0.005])
@pytest.mark.parametrize("horizon", [5, 63])
def test_exchangeable_residuals_are_covered_as_promised(rate: float, horizon: int) -> None:
    data = exchangeable(6000, horizon)
    found = bands(**data, prior=0.0, rate=rate)
    known = ~np.isnan(found.lower) & ~np.isnan(data["y"])
    y, error = data["y"][known], np.sqrt(0.05 * 0.95 / known.sum())
    assert np.mean(y < found.lower[known]) == pytest.approx(0.05, abs=4 * error)
    assert np.mean(y > found.upper[known]) == pytest.approx(0.05, abs=4 * error)
    assert np.mean(y[:, None] <= found.quantiles[known], axis=0) == pytest.approx(LEVELS, abs=0.03)


@pytest.mark.parametrize("horizon", [5, 63, 252])
def test_the_prior_costs_little_where_the_shape_is_another(horizon: int) -> None:
    data = exchangeable(4000, horizon)
    found = bands(**data)
    known = ~np.isnan(found.lower) & ~np.isnan(data["y"])
    assert coverage(found.lower[known], found.upper[known], data["y"][known]) == pytest.approx(0.9, abs=0.025)


def test_finite_sample_coverage_is_guaranteed_on_average() -> None:
    """With 59 residuals the band reaches to the 54th: a new one lies beyond it with probability 6 / 60 exactly."""
    misses = []
    for seed in range(500):
        data = exchangeable(61, seed=seed)
        outcome = data["y_hat"][59] + data["sd"][59] * np.random.default_rng(10**6 + seed).standard_t(4.0) / np.sqrt(
            2.0
        )
        found = bands(**data, prior=0.0, rate=0.0)
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
        for name in ("lower", "upper", "quantiles", "probability_up", "level", "residuals"):
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
    drawn = found.level[~np.isnan(found.lower)]
    assert drawn.min() == pytest.approx(0.02)
    assert drawn.max() <= 0.3


def test_there_is_no_band_before_the_minimum_of_matured_residuals() -> None:
    data = exchangeable(120, 63)
    found = bands(**data)
    np.testing.assert_array_equal(np.isnan(found.lower), found.residuals < 50)
    for values in (found.upper, found.probability_up, found.quantiles[:, 2], found.level):
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


def test_the_tails_weigh_the_same_whatever_the_drift_of_the_past() -> None:
    data = exchangeable(2000)
    data["y"] = data["y_hat"] + np.abs(data["y"] - data["y_hat"])  # the price has only ever risen
    found = bands(**data, rate=0.0)
    known = ~np.isnan(found.lower)
    np.testing.assert_allclose((found.upper + found.lower)[known], 2 * data["y_hat"][known], atol=1e-12)
    assert found.latest.share_above(0.0) == pytest.approx(0.5, abs=0.001)


def test_a_group_is_heard_as_far_as_its_own_residuals_reach() -> None:
    data = exchangeable(3000)
    group = (np.arange(3000) % 10 == 0).astype(np.int64)
    data["y"] = data["y_hat"] + np.where(group == 1, 2.0, 1.0) * (data["y"] - data["y_hat"])
    pooled, grouped = bands(**data, rate=0.0), bands(**data, rate=0.0, groups=group)
    late = (np.arange(3000) > 2500) & ~np.isnan(data["y"])
    wild = late & (group == 1)
    assert coverage(pooled.lower[wild], pooled.upper[wild], data["y"][wild]) < 0.8
    assert coverage(grouped.lower[wild], grouped.upper[wild], data["y"][wild]) > 0.83
    early = (np.arange(3000) < 190) & (group == 1)  # fewer than 20 independent residuals of the group
    np.testing.assert_array_equal(pooled.upper[early], grouped.upper[early])


def test_no_band_is_narrower_than_that_of_a_shorter_horizon() -> None:
    data = exchangeable(400)
    least = np.full(400, 0.3)
    free, held = bands(**data), bands(**data, least_width=least)
    known = ~np.isnan(free.upper)
    assert (held.upper - data["y_hat"] >= 0.3 - 1e-12)[known].all()
    wide = known & (free.upper - data["y_hat"] > 0.35)
    assert wide.any()
    inner = (held.quantiles[:, 3] - data["y_hat"])[known]
    assert (inner <= (held.upper - data["y_hat"])[known]).all()


def test_a_known_garch_volatility_gives_calibrated_bands() -> None:
    rng = np.random.default_rng(4)
    n = 8000
    variance, r = np.empty(n), np.empty(n)
    variance[0] = 1e-4
    for i in range(n):
        r[i] = rng.standard_normal() * np.sqrt(variance[i])
        if i + 1 < n:
            variance[i + 1] = 2e-6 + 0.08 * r[i] ** 2 + 0.9 * variance[i]
    sessions = np.arange(n, dtype=np.int64)
    found = bands(np.zeros(n), np.sqrt(variance), r, sessions, sessions + 1)
    known = ~np.isnan(found.lower)
    assert coverage(found.lower[known], found.upper[known], r[known]) == pytest.approx(0.9, abs=0.01)
    for part in (variance < np.quantile(variance, 0.3), variance > np.quantile(variance, 0.7)):
        rows = known & part
        assert coverage(found.lower[rows], found.upper[rows], r[rows]) == pytest.approx(0.9, abs=0.02)


def naive_share(size: float, parts: list[tuple[list[float], float, float]]) -> float:
    """Share within ``size``: groups (sizes, independent, weight of what follows), then the normal distribution."""
    share = erf(size / sqrt(2))
    for sizes, independent, prior in reversed(parts):
        own = sum(1 for s in sizes if s <= size) / (len(sizes) + 1) if sizes else 0.0
        weight = independent / (independent + prior) if sizes else 0.0
        share = weight * own + (1 - weight) * share
    return share


def naive_within(share: float, parts: list[tuple[list[float], float, float]]) -> float:
    low, high = 0.0, 60.0
    if naive_share(high, parts) < share:  # so few cannot show it: the largest, of all or of the group's own
        return max([*parts[0][0], *([naive_within(share, parts[1:])] if parts[1:] else [])])
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (low, middle) if naive_share(middle, parts) >= share else (middle, high)
    return high


@given(st.lists(st.floats(0, 6), min_size=1, max_size=20), st.floats(0, 8), st.floats(0.5, 40), st.floats(0.5, 200))
def test_the_distribution_is_the_stated_mixture(
    sizes: list[float], size: float, independent: float, prior: float
) -> None:
    every = sorted(sizes)
    own = every[::2]
    pooled = Residuals(tuple(every), independent, None, prior)
    group = Residuals(tuple(own), independent / 3, pooled, prior)
    both = [(own, independent / 3, prior), (every, independent, prior)]
    for found, parts in ((pooled, both[1:]), (group, both)):
        within = naive_share(size, parts)
        assert found.share_within(size) == pytest.approx(within, abs=1e-12)
        assert found.share_above(size) == pytest.approx((1 - within) / 2, abs=1e-12)
        assert found.share_above(-size) == pytest.approx((1 + within) / 2 if size else (1 - within) / 2, abs=1e-12)


@pytest.mark.parametrize("horizon", [5, 21])
def test_bands_of_groups_with_a_prior_equal_a_naive_loop(horizon: int) -> None:
    n, prior, rate, least = 110, 7.0, 0.2, 12
    data = exchangeable(n, horizon, seed=3)
    data["sd"][[15, 70]] = np.nan
    group = np.random.default_rng(0).integers(-1, 2, n)
    floor = np.where(np.arange(n) % 7 == 0, 0.2, np.nan)
    found = bands(**data, groups=group, least_width=floor, prior=prior, rate=rate, min_residuals=least)
    sessions, targets, y_hat, sd, y = (data[k] for k in ("sessions", "target_sessions", "y_hat", "sd", "y"))
    sizes = np.abs(y - y_hat) / sd
    span = [max(sum(1 for s in sessions if sessions[i] <= s < targets[i]), 1) for i in range(n)]
    level, halves, seen, used = 0.1, [np.nan] * n, 0, set()
    for t in range(n):
        rows = [i for i in range(n) if targets[i] <= sessions[t] and np.isfinite(sizes[i])]
        for i in rows[seen:]:
            if np.isfinite(halves[i]):
                level = min(max(level + rate / span[i] * (0.1 - (sizes[i] > halves[i])), 0.02), 0.3)
        seen = len(rows)
        assert found.residuals[t] == seen
        if seen < least or np.isnan(sd[t]):
            assert np.isnan([found.lower[t], found.upper[t], found.level[t], found.probability_up[t]]).all()
            continue
        parts = [(sizes[rows].tolist(), sum(1 / span[i] for i in rows), prior)]
        own = [i for i in rows if group[i] == group[t]]
        if group[t] >= 0 and sum(1 / span[i] for i in own) >= 20:
            parts = [(sizes[own].tolist(), sum(1 / span[i] for i in own), prior), *parts]
        used.add(len(parts))
        half, inner = naive_within(1 - level, parts), naive_within(0.5, parts)
        if floor[t] / sd[t] > half:
            half, inner = floor[t] / sd[t], inner * floor[t] / sd[t] / half
        halves[t], inner = half, min(inner, half)
        ends = [y_hat[t] + k * sd[t] for k in (-half, -inner, 0, inner, half)]
        np.testing.assert_allclose(found.quantiles[t], ends, atol=1e-9)
        assert (found.lower[t], found.upper[t]) == (found.quantiles[t, 0], found.quantiles[t, 4])
        assert found.level[t] == pytest.approx(level)
        up = naive_share(abs(y_hat[t] / sd[t]), parts)
        assert found.probability_up[t] == pytest.approx((1 + up) / 2 if y_hat[t] > 0 else (1 - up) / 2)
    assert used == ({1, 2} if horizon == 5 else {1})


def test_what_is_drawn_by_default() -> None:
    data = exchangeable(200)
    one, other = bands(**data), bands(**data, alpha=0.1, prior=100.0, rate=0.005, min_residuals=50)
    assert one.quantiles.tobytes() == other.quantiles.tobytes()
    assert one.level.tobytes() == other.level.tobytes()
