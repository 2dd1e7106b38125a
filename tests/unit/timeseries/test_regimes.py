import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cbi_common.core.regime import Regime
from cbi_common.markets import RegimeRules, load_market
from cbi_common.timeseries.regimes import CLASSES, UNKNOWN, rule_labels, trailing_return, trailing_volatility

SESSIONS = np.arange(100, 200, dtype=np.int64)
RULES = load_market("zl").regime


def name_of(code: int) -> str:
    return "unknown" if code == UNKNOWN else CLASSES[code].value


def path(daily: list[float]) -> np.ndarray:
    return 50.0 * np.exp(np.cumsum(daily))


def trending(total: float, swing: float, n: int = 100) -> np.ndarray:
    """Log returns that add up to ``total`` over 30 sessions, swinging by +-``swing`` around their mean."""
    return path([total / 30 + (swing if i % 2 else -swing) for i in range(n)])


def test_class_order_is_the_stated_one():
    assert CLASSES == (Regime.CRISIS, Regime.BULL, Regime.BEAR, Regime.NORMAL)


@pytest.mark.parametrize(
    ("price", "vix", "expected"),
    [
        (trending(0.0, 0.005), 31.0, "crisis"),
        (trending(0.0, 0.005), 30.0, "normal"),
        (trending(0.0, 0.030), 15.0, "crisis"),  # 0.030 * sqrt(252) = 48 %
        (trending(0.13, 0.005), 15.0, "bull"),
        (trending(0.13, 0.018), 15.0, "normal"),  # 29 %: too wild for a bull
        (trending(-0.13, 0.005), 15.0, "bear"),
        (trending(-0.02, 0.021), 15.0, "bear"),  # 33 % with a negative return
        (trending(0.02, 0.021), 15.0, "normal"),
        (trending(0.13, 0.005), np.nan, "bull"),  # the VIX is not known: volatility alone decides
        (trending(0.0, 0.030), np.nan, "crisis"),
        (trending(0.0, 0.005), np.nan, "normal"),
    ],
)
def test_rules(price, vix, expected):
    labels = rule_labels(SESSIONS, price, np.full(100, vix), RULES)
    assert name_of(labels[-1]) == expected


def test_first_month_has_no_label():
    labels = rule_labels(SESSIONS, trending(0.0, 0.01), np.full(100, 15.0), RULES)
    assert (labels[:30] == UNKNOWN).all()
    assert (labels[30:] != UNKNOWN).all()


def test_missing_session_silences_its_return_but_not_the_volatility():
    keep = SESSIONS != 150
    price = trending(0.0, 0.01)[keep]
    labels = rule_labels(SESSIONS[keep], price, np.full(99, 15.0), RULES)
    unknown = SESSIONS[keep][labels == UNKNOWN]
    assert unknown.tolist() == [*range(100, 130), 180]


def test_volatility_needs_enough_returns():
    sparse = np.arange(0, 200, 2, dtype=np.int64)
    assert np.isnan(trailing_volatility(sparse, path([0.01] * 100), 30, 2)).all()


@pytest.mark.parametrize("missing", [[], [12], [12, 13, 30, 44]])
def test_volatility_equals_a_naive_loop(missing):
    sessions = np.delete(np.arange(60, dtype=np.int64), missing)
    price = path(np.random.default_rng(3).normal(0.0, 0.02, 60).tolist())[sessions]
    at = dict(zip(sessions.tolist(), price.tolist(), strict=True))
    for least in (8, 10):
        expected = []
        for now in sessions.tolist():
            returns = [np.log(at[s] / at[s - 1]) for s in range(now - 9, now + 1) if s in at and s - 1 in at]
            expected.append(np.std(returns, ddof=1) * np.sqrt(252) if len(returns) >= least else np.nan)
        found = trailing_volatility(sessions, price, 10, least)
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        assert np.isfinite(found).any()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-0.2, 0.2), min_size=40, max_size=80), st.data())
def test_against_a_naive_loop_and_blind_to_the_future(daily, data):
    n = len(daily)
    gaps = data.draw(st.lists(st.integers(1, 3), min_size=n, max_size=n))
    sessions, price = np.cumsum(gaps).astype(np.int64), path(daily)
    vix = np.array(data.draw(st.lists(st.floats(10, 60) | st.just(float("nan")), min_size=n, max_size=n)))
    labels = rule_labels(sessions, price, vix, RULES)
    assert [name_of(c) for c in labels] == [naive(sessions, price, vix, i) for i in range(n)]
    cut = data.draw(st.integers(1, n))
    assert rule_labels(sessions[:cut], price[:cut], vix[:cut], RULES).tolist() == labels[:cut].tolist()


def naive(sessions, price, vix, i):
    at = {int(s): p for s, p in zip(sessions[: i + 1], price[: i + 1], strict=True)}
    now = int(sessions[i])
    returns = [
        np.log(at[s] / at[s - 1]) for s in range(now - 29, now + 1) if s in at and s - 1 in at and s - 1 > now - 31
    ]
    if now - 30 not in at or len(returns) < RULES.least_returns:
        return "unknown"
    change, volatility = at[now] / at[now - 30] - 1, np.std(returns, ddof=1) * np.sqrt(252)
    if vix[i] > 30 or volatility > 0.4:
        return "crisis"
    if change > 0.1 and volatility < 0.25:
        return "bull"
    if change < -0.1 or (volatility > 0.3 and change < 0):
        return "bear"
    return "normal"


def test_trailing_return_by_hand():
    result = trailing_return(np.array([1, 2, 4]), np.array([10.0, 11.0, 12.1]), 2)
    assert np.isnan(result[:2]).all()
    assert result[2] == pytest.approx(0.1)


def test_thresholds_are_the_markets_own():
    wild = trending(0.0, 0.030)  # 48 % a year
    calm = np.full(100, 15.0)
    assert name_of(rule_labels(SESSIONS, wild, calm, RULES)[-1]) == "crisis"
    assert name_of(rule_labels(SESSIONS, wild, calm, load_market("wti").regime)[-1]) == "normal"
    fearless = RegimeRules(crisis_volatility=0.6)
    assert name_of(rule_labels(SESSIONS, wild, np.full(100, np.nan), fearless)[-1]) == "normal"
