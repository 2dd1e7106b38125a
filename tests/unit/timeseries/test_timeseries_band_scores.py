"""Coverage, its error, and its worst year."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbi_common.timeseries.band_scores import (
    coverage_error,
    inside,
    overlap_of,
    winkler_losses,
    worst_year,
    worst_year_by_chance,
)
from cbi_common.timeseries.losses import winkler


def test_winkler_rows_average_to_the_score() -> None:
    rng = np.random.default_rng(0)
    lower, actual = rng.normal(40, 2, 200), rng.normal(42, 3, 200)
    upper = lower + rng.exponential(4, 200)
    assert winkler_losses(lower, upper, actual).mean() == pytest.approx(winkler(lower, upper, actual))
    assert (
        winkler_losses(lower, upper, actual)[inside(lower, upper, actual)]
        == (upper - lower)[inside(lower, upper, actual)]
    ).all()


def test_the_error_of_independent_hits_is_binomial_and_grows_with_overlap() -> None:
    rng = np.random.default_rng(1)
    hits = rng.random(4000) < 0.9
    assert coverage_error(hits, 1) == pytest.approx(np.sqrt(0.09 / 4000), rel=0.1)
    blocks = np.repeat(rng.random(400) < 0.9, 10)
    assert coverage_error(blocks, 10) == pytest.approx(np.sqrt(0.09 / 400), rel=0.35)
    assert coverage_error(hits[:1], 1) is None
    assert coverage_error(np.ones(50, dtype=bool), 4) == 0.0


def test_the_worst_year_needs_a_dozen_cutoffs() -> None:
    years = np.repeat([2019, 2020, 2021], [50, 50, 11])
    hits = np.ones(111, dtype=bool)
    hits[55:65] = False
    hits[100:] = False
    assert worst_year(hits, years) == pytest.approx(0.8)
    assert worst_year(hits[100:], years[100:]) is None


@pytest.mark.parametrize(("horizon", "low", "high"), [(5, 0.74, 0.84), (252, 0.0, 0.45)])
def test_chance_alone_makes_bad_years_and_long_horizons_worse_ones(horizon: int, low: float, high: float) -> None:
    sessions = np.arange(0, 15 * 252, 5, dtype=np.int64)
    years = 2010 + (sessions + horizon) // 252
    found = worst_year_by_chance(sessions, years, horizon)
    assert found is not None
    assert low <= found <= high
    assert found == worst_year_by_chance(sessions, years, horizon)
    assert worst_year_by_chance(sessions[:5], years[:5], horizon) is None


def test_cutoffs_that_share_a_span() -> None:
    assert [overlap_of(h, 5) for h in (1, 5, 21, 252)] == [1, 1, 5, 51]


@given(st.lists(st.booleans(), min_size=2, max_size=30), st.integers(1, 20))
def test_the_error_equals_the_sum_of_its_autocovariances(rows: list[bool], overlap: int) -> None:
    hits, n, mean = np.array(rows), len(rows), sum(rows) / len(rows)
    lags = min(2 * overlap, n - 1)
    total = 0.0
    for i in range(n):
        for j in range(n):
            if abs(i - j) <= lags:
                total += (hits[i] - mean) * (hits[j] - mean) / n * (1 - abs(i - j) / (lags + 1))
    assert coverage_error(hits, overlap) == pytest.approx(np.sqrt(max(total, 0.0) / n), abs=1e-9)


def test_the_ends_of_a_band_belong_to_it_and_a_miss_costs_in_proportion() -> None:
    lower, upper, actual = np.array([1.0] * 5), np.array([3.0] * 5), np.array([1.0, 3.0, 0.9, 3.1, 2.0])
    assert inside(lower, upper, actual).tolist() == [True, True, False, False, True]
    np.testing.assert_allclose(winkler_losses(lower, upper, actual), [2, 2, 4, 4, 2])
    np.testing.assert_allclose(winkler_losses(lower, upper, actual, alpha=0.5), [2, 2, 2.4, 2.4, 2])


def test_a_year_of_exactly_a_dozen_counts() -> None:
    hits = np.array([False] * 6 + [True] * 18)
    assert worst_year(hits, np.repeat([2020, 2021], 12)) == 0.5
    assert worst_year(hits[:-1], np.repeat([2020, 2021], [12, 11])) == 0.5
    assert worst_year(hits[1:], np.repeat([2020, 2021], [11, 12])) == 1.0


def test_chance_of_outcomes_that_do_not_overlap_is_binomial() -> None:
    """Nine of twelve: fewer come in 2.6 % of the years of a perfect band, as few in 11 %, wherever it begins."""
    for first, horizon in ((0, 1), (5000, 5), (-700, 21)):
        sessions = first + np.arange(23, dtype=np.int64) * horizon
        years = np.repeat([2020, 2021], [12, 11])  # the second is not counted
        assert worst_year_by_chance(sessions, years, horizon) == 0.75


def test_chance_of_one_outcome_seen_twelve_times_is_all_or_nothing() -> None:
    sessions = np.arange(12, dtype=np.int64)
    assert worst_year_by_chance(sessions, np.full(12, 2020), 10_000) == 0.0  # missed in one of ten, whole
    assert worst_year_by_chance(sessions, np.full(12, 2020), 10_000, seed=1) == 0.0


def test_chance_has_one_seed_that_results_rest_on() -> None:
    sessions = np.arange(0, 20 * 252, 21, dtype=np.int64)
    years = 2000 + sessions // 252
    found = worst_year_by_chance(sessions, years, 126)
    assert found == worst_year_by_chance(sessions, years, 126, seed=20100101)
