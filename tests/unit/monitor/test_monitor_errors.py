"""Performance, direction, coverage and failure in a regime: what is found, how rarely without cause, and when."""

from dataclasses import replace

import numpy as np
import pytest

from cbi_common.core.horizon import Horizon
from monitor.adapters.page_hinkley import detected
from monitor.domain.hit_rates import find_failing_regimes, find_wrong_coverage, find_wrong_direction
from monitor.domain.performance import check_at, excess, find_degraded
from monitor.domain.rows import Rows
from monitor.rules_file import load_rules

RULES = load_rules()
N, FIRST = 260, 3000


def rows(seed: int = 0, *, horizon: int = 5, skill: float = 0.3, breaks: int = N, worse: float = 2.0) -> Rows:
    """Weekly forecasts that know a share of the outcome, and from ``breaks`` on the opposite, times ``worse``."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, 0.03, N + horizon // 5)
    y = np.convolve(steps, np.ones(horizon // 5), "valid")[:N]
    y_hat = skill * y + rng.normal(0, 0.003, N)
    y_hat[breaks:] = -worse * y[breaks:] * skill
    sessions = FIRST + 5 * np.arange(N)
    price, half = np.full(N, 50.0), 1.645 * 0.03 * np.sqrt(horizon / 5)
    return Rows(
        sessions, sessions + horizon, price, y_hat, y, price * np.exp(y_hat - half), price * np.exp(y_hat + half)
    )


def degraded(part: Rows, horizon: Horizon = Horizon.W1):
    return find_degraded(part, horizon, RULES.performance, detected)


def first_found(whole: Rows, breaks: int) -> int | None:
    """Outcomes from the break to the finding."""
    for row in range(breaks, N):
        if degraded(whole.where(np.arange(N) <= row)):
            return row - breaks + 1
    return None


def test_errors_are_those_of_a_loop() -> None:
    r = rows()
    for i in range(0, N, 17):
        actual = r.price[i] * np.exp(r.y[i])
        assert r.errors()[i] == pytest.approx(abs(r.price[i] * np.exp(r.y_hat[i]) - actual) / actual)
        assert r.unchanged_errors()[i] == pytest.approx(abs(r.price[i] - actual) / actual)
        assert r.inside()[i] == (r.lower[i] <= actual <= r.upper[i])


def test_independent_rows_do_not_overlap_and_the_newest_is_among_them() -> None:
    r = rows(horizon=63 // 5 * 5)
    alone = r.independent(60)
    assert alone.sessions[-1] == r.sessions[-1]
    assert (np.diff(alone.sessions) >= 60).all()
    assert len(alone.sessions) == pytest.approx(N * 5 / 60, abs=1)
    assert len(rows().independent(5).sessions) == N


def test_the_check_compares_the_last_quarter_with_all_before_it() -> None:
    r = rows(breaks=200)
    found = check_at(r, 215, 5, RULES.performance)
    late = (r.target_sessions > r.target_sessions[215] - 63) & (r.target_sessions <= r.target_sessions[215])
    early = r.target_sessions <= r.target_sessions[215] - 63
    assert found.mape == pytest.approx(r.errors()[late].mean())
    assert found.no_change_before == pytest.approx(r.unchanged_errors()[early].mean())
    assert late.sum() == 13
    assert found.bad(RULES.performance) is (
        found.mape > max(0.03, 1.5 * found.mape_before / found.no_change_before * found.no_change)
    )
    assert check_at(r, 20, 5, RULES.performance) is None


def test_excess_is_in_errors_of_no_change_so_far() -> None:
    r = rows()
    scale = r.unchanged_errors()[:10].mean()
    assert excess(r)[9] == pytest.approx((r.errors()[9] - r.unchanged_errors()[9]) / scale)


def test_forecasts_gone_wrong_are_found_within_sixty_five_sessions() -> None:
    lags = [first_found(rows(seed, breaks=200), 200) for seed in range(8)]
    assert all(lag is not None and 5 * lag <= 60 for lag in lags)
    (found,) = degraded(rows(breaks=200).where(np.arange(N) < 214))
    assert (found.condition, found.action, found.kind, found.horizon) == (
        "performance/1w",
        "retrain",
        "performance",
        "1w",
    )
    assert "MAPE" in found.what


def test_a_market_that_moves_more_is_no_failure_of_the_forecasts() -> None:
    calm = rows()
    stormy = np.where(np.arange(N) < 200, 1.0, 3.0)
    r = replace(calm, y=calm.y * stormy, y_hat=calm.y_hat * stormy)
    assert r.errors()[200:].mean() > 2.5 * r.errors()[:200].mean()
    assert not any(degraded(r.where(np.arange(N) <= row)) for row in range(150, N))


@pytest.mark.parametrize("skill", [0.0, 0.2])
def test_forecasts_as_good_as_ever_raise_nothing(skill: float) -> None:
    for seed in range(6):
        r = rows(seed, skill=skill)
        assert not any(degraded(r.where(np.arange(N) <= row)) for row in range(0, N, 5))


def test_no_change_itself_is_never_degraded() -> None:
    r = replace(rows(), y_hat=np.zeros(N))
    assert not degraded(r)


def test_a_change_long_ago_is_no_news() -> None:
    r = rows(breaks=100)
    assert degraded(r.where(np.arange(N) < 115))
    evidence = degraded(r.where(np.arange(N) < 115))[0].evidence
    assert {"mape", "excess_error"} <= set(evidence)
    later = degraded(r)
    assert not later or "excess_error" not in later[0].evidence


def test_one_outcome_or_none_says_nothing() -> None:
    for count in (0, 1, 3):
        part = rows().where(np.arange(N) < count)
        assert degraded(part) == []
        assert find_wrong_direction(part, Horizon.W1, RULES.direction) == []
        assert find_wrong_coverage(part, Horizon.W1, RULES.coverage) == []
        assert find_failing_regimes(part, {}, Horizon.W1, RULES.regime_failure) == []


def test_the_detector_is_that_of_page() -> None:
    values = [*np.random.default_rng(1).normal(-0.1, 0.5, 100).tolist(), *[1.5] * 30]
    rules, total, least, mean = RULES.performance, 0.0, float("inf"), 0.0
    expected = []
    for n, value in enumerate(values, start=1):
        mean += (value - mean) / n
        total += value - mean - rules.page_hinkley_delta
        least = min(least, total)
        if n >= rules.page_hinkley_least and total - least > rules.page_hinkley_threshold:
            expected.append(n - 1)
            break
    assert detected(values, rules)[:1] == expected != []


def test_a_wrong_direction_is_found_and_forecasts_without_a_side_do_not_count() -> None:
    r = rows(breaks=200)
    (found,) = find_wrong_direction(r, Horizon.W1, RULES.direction)
    assert found.evidence["n"] == 52
    assert found.evidence["p"] < RULES.direction.alpha
    assert not find_wrong_direction(r.where(np.arange(N) < 205), Horizon.W1, RULES.direction)
    aside = replace(r, y_hat=np.clip(r.y_hat, -0.0005, 0.0005))
    assert not find_wrong_direction(aside, Horizon.W1, RULES.direction)


@pytest.mark.parametrize(("width", "found"), [(1.0, False), (0.4, True), (0.9, False)])
def test_bands_that_hold_too_little_are_found(width: float, found: bool) -> None:
    r = rows(skill=0.0)
    narrow = replace(r, lower=r.price * (r.lower / r.price) ** width, upper=r.price * (r.upper / r.price) ** width)
    assert bool(find_wrong_coverage(narrow, Horizon.W1, RULES.coverage)) is found


def test_rows_without_a_band_do_not_count() -> None:
    r = rows()
    nowhere = replace(r, lower=np.full(N, np.nan), upper=np.full(N, np.nan))
    assert not find_wrong_coverage(nowhere, Horizon.W1, RULES.coverage)


def test_a_failure_in_one_regime_is_that_regimes() -> None:
    r = rows()
    crisis = np.arange(N) % 4 == 0
    wrong = replace(r, y_hat=np.where(crisis, -0.8 * r.y, r.y_hat))
    regimes = {int(s): "crisis" if c else "normal" for s, c in zip(r.sessions, crisis, strict=True)}
    (found,) = find_failing_regimes(wrong, regimes, Horizon.W1, RULES.regime_failure)
    assert found.condition == "regime_failure/crisis 1w"
    assert found.evidence["mape"] > found.evidence["no_change_mape"]
    assert not find_failing_regimes(r, regimes, Horizon.W1, RULES.regime_failure)


def test_chance_alone_hardly_ever_finds_anything() -> None:
    found = 0
    for seed in range(40):
        r = rows(seed, skill=0.0)
        r = replace(r, y_hat=np.random.default_rng(seed + 1).normal(0, 0.01, N))
        for end in (150, 205, N):
            part = r.where(np.arange(N) < end)
            found += bool(find_wrong_direction(part, Horizon.W1, RULES.direction))
            found += bool(find_wrong_coverage(part, Horizon.W1, RULES.coverage))
    assert found <= 2


def test_outcomes_that_had_not_matured_change_nothing() -> None:
    r = rows(breaks=200)
    later = replace(r, y_hat=np.where(np.arange(N) < 220, r.y_hat, 9.0), y=np.where(np.arange(N) < 220, r.y, -9.0))
    session = int(r.target_sessions[219])
    assert degraded(r.until(session)) == degraded(later.until(session)) != []
