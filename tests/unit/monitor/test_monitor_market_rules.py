"""Correlation, feature drift and unseen states: closed forms, chance levels, and no look-ahead."""

import numpy as np
import pytest

from cbi_common.timeseries.calendar import session_date
from monitor.domain import feature_drift as drift
from monitor.domain.correlation import find_broken, rolling_correlation, weakening
from monitor.domain.market_view import MarketView, changes
from monitor.domain.unseen import find_unseen
from monitor.rules_file import load_rules

RULES = load_rules()
N = 3000
SESSIONS = np.arange(2000, 2000 + N)
DATES = np.array([session_date(int(s)) for s in SESSIONS], dtype="datetime64[D]")


def walk(moves):
    return 40 * np.exp(np.cumsum(moves))


def linked(rho: float, seed: int = 0, breaks_at: int = N):
    rng = np.random.default_rng(seed)
    a, own = rng.normal(0, 0.01, (2, N))
    b = rho * a + np.sqrt(1 - rho**2) * own
    b[breaks_at:] = own[breaks_at:]
    return walk(a), walk(b)


def view(**series) -> MarketView:
    price = series.get("zl", walk(np.random.default_rng(9).normal(0, 0.012, N)))
    return MarketView(SESSIONS, DATES, price, series, {})


def test_rolling_correlation_is_that_of_numpy_in_every_window() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, 200))
    a[50:55] = np.nan
    found = rolling_correlation(a, b, 60)
    for row in range(59, 200):
        x, y = a[row - 59 : row + 1], b[row - 59 : row + 1]
        known = ~np.isnan(x)
        assert found[row] == pytest.approx(np.corrcoef(x[known], y[known])[0, 1])
    assert np.isnan(found[:47]).all()


def test_the_statistic_of_a_link_that_holds_is_standard_normal() -> None:
    scores = []
    for seed in range(60):
        a, b = linked(0.6, seed)
        rolling = rolling_correlation(changes(a), changes(b), 60)
        scores += [weakening(rolling, row, RULES.correlation).z for row in range(1200, N, 120)]
    assert np.mean(scores) == pytest.approx(0.0, abs=0.1)
    assert np.std(scores) == pytest.approx(1.0, abs=0.1)


def test_a_broken_link_is_found_within_sixty_sessions_and_asks_for_a_retrain() -> None:
    for seed in range(5):
        zl, zs = linked(0.6, seed, breaks_at=2800)
        lags = [
            end - 2800
            for end in range(2800, 2861)
            if find_broken(view(zl=zl, zs=zs).until(end), [("zl", "zs")], RULES.correlation)
        ]
        assert lags
        assert 10 < lags[0] <= 60
    (found,) = find_broken(view(zl=zl, zs=zs).until(2860), [("zl", "zs")], RULES.correlation)
    assert (found.condition, found.kind, found.action) == ("correlation/zl-zs", "correlation", "retrain")
    assert abs(found.evidence["correlation"]) < 0.4
    assert found.evidence["long_run"] == pytest.approx(0.6, abs=0.05)


def test_a_link_grown_stronger_or_never_there_is_no_breakdown() -> None:
    zl, weak = linked(0.05, breaks_at=2800)
    assert not find_broken(view(zl=zl, zs=weak), [("zl", "zs")], RULES.correlation)
    zl, strong = linked(0.6, 1)
    strong[2900:] = strong[2900] * zl[2900:] / zl[2900]
    assert not find_broken(view(zl=zl, zs=strong), [("zl", "zs")], RULES.correlation)
    assert not find_broken(view(zl=zl), [("zl", "zs")], RULES.correlation)


def references(values, rows: int):
    seen = view().until(rows)
    return seen, drift.references(seen, {"x": values[:rows]}, RULES.feature)


def test_psi_is_the_sum_of_its_definition() -> None:
    counts, shares = np.array([4.0, 0.0, 17.0]), np.array([0.2, 0.3, 0.5])
    filled = np.array([4.0, 0.5, 17.0]) / 21.5
    expected = sum((q - p) * np.log(q / p) for q, p in zip(filled, shares, strict=True))
    assert drift.population_stability(counts, shares) == pytest.approx(expected)


def test_the_distance_is_that_of_scipy() -> None:
    from scipy.stats import kstest

    ranks = np.random.default_rng(2).random((20, 21)) ** 1.5
    for row in ranks:
        both = [kstest(values, "uniform").statistic for values in (row, np.abs(2 * row - 1))]
        assert drift.distance(row) == pytest.approx(max(both))


def test_a_p_value_is_as_rare_as_it_says() -> None:
    rare, n = 0, 0
    for seed in range(60):
        values = np.random.default_rng(seed).standard_t(4, N)
        _, known = references(values, 2600)
        for end in range(2600, N, 21):
            n += 1
            rare += drift.compare(known["x"], values[end - 15 : end]).p < 0.01
    assert rare / n == pytest.approx(0.01, abs=0.006)


@pytest.mark.parametrize("change", ["shift", "scale"])
def test_another_distribution_is_found_within_the_window(change: str) -> None:
    for seed in range(5):
        values = np.random.default_rng(seed).normal(size=N)
        values[2800:] = values[2800:] + 2 if change == "shift" else 6 * values[2800:]
        _, known = references(values, 2800)
        cut = {"x": values[:2821]}
        (found,) = drift.find_drifted(view().until(2821), cut, known, {"x": "palm"}, RULES.feature)
        assert (found.condition, found.action, found.kind) == ("feature/palm", "alert", "feature")
        assert found.evidence["x"]["p"] < 0.001


def test_volatility_that_comes_in_spells_as_ever_is_no_drift() -> None:
    rng = np.random.default_rng(5)
    values = rng.normal(size=N) * np.where(np.arange(N) // 60 % 4 == 0, 2.3, 1.0)
    known, found = {}, 0
    for end in range(2600, N, 3):
        if end % 20 == 0 or not known:
            _, known = references(values, end)
        found += len(drift.find_drifted(view().until(end), {"x": values[:end]}, known, {}, RULES.feature))
    assert found <= 1  # of 134 checks of one feature, at 1.5 %


@pytest.mark.parametrize(
    "values",
    [
        np.cumsum(np.random.default_rng(0).normal(size=N)),  # a level
        np.repeat(np.random.default_rng(0).normal(size=N // 21 + 1), 21)[:N],  # told once a month
        np.where(np.arange(N) % 3, np.nan, 1.0),  # mostly unknown
        np.zeros(N),
    ],
)
def test_what_does_not_hold_a_distribution_within_a_month_is_not_judged(values) -> None:
    assert references(values, N)[1] == {}


def test_the_reference_ends_before_the_gap_and_stays_for_a_month() -> None:
    rules = RULES.feature
    ends = [drift.reference_rows(SESSIONS[:end], rules).stop for end in range(2800, 2842)]
    assert all(2800 + i - end >= rules.gap_sessions - 1 for i, end in enumerate(ends))
    assert len(set(ends)) <= 42 // rules.window_sessions + 2


def turmoil(seed: int, factor: float):
    moves = np.random.default_rng(seed).normal(0, 0.015, N)
    moves[2800:] *= factor
    return moves


def test_a_state_beyond_all_of_the_past_is_found_and_a_record_is_not() -> None:
    for seed in range(5):
        wild = view(zl=walk(turmoil(seed, 5.0)))
        assert not find_unseen(wild.until(2800), None, RULES.unseen)
        found = [end for end in range(2800, 2842) if find_unseen(wild.until(end), None, RULES.unseen)]
        assert found
    (one,) = find_unseen(wild.until(2842), None, RULES.unseen)
    assert (one.condition, one.kind, one.action) == ("regime/unseen", "regime", "alert")
    assert one.evidence["volatility"]["now"] > RULES.unseen.margin * one.evidence["volatility"]["most_before"]
    calm = view(zl=walk(turmoil(1, 1.1)))
    assert not any(find_unseen(calm.until(end), None, RULES.unseen) for end in range(2000, N, 7))


def test_an_index_of_fear_counts_where_there_is_one() -> None:
    fear = np.full(N, 18.0) + np.random.default_rng(1).normal(size=N)
    fear[2990:] = 60.0
    (found,) = find_unseen(view(vix=fear), "vix", RULES.unseen)
    assert "index of fear at 60" in found.what
    assert not find_unseen(view(vix=fear), None, RULES.unseen)


def test_what_comes_later_changes_no_finding() -> None:
    rng = np.random.default_rng(8)
    zl, zs = linked(0.6, 2, breaks_at=2750)
    values = rng.normal(size=N) * np.where(np.arange(N) < 2790, 1, 5)
    noise = rng.normal(size=N)
    zl2, zs2, values2 = (np.where(np.arange(N) < 2810, v, v * np.exp(noise)) for v in (zl, zs, values))

    def found(zl, zs, values):
        seen, cut = view(zl=zl, zs=zs).until(2810), {"x": values[:2810]}
        known = drift.references(seen, cut, RULES.feature)
        return [
            *find_broken(seen, [("zl", "zs")], RULES.correlation),
            *find_unseen(seen, None, RULES.unseen),
            *drift.find_drifted(seen, cut, known, {}, RULES.feature),
        ]

    assert found(zl, zs, values) == found(zl2, zs2, values2) != []
