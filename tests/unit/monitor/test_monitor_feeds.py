from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbi_common.events.data import TableQuality
from cbi_common.markets.files import load_market
from cbi_common.timeseries.calendar import session_date, session_number
from monitor.domain.frozen import find_frozen, unchanged
from monitor.domain.market_view import MarketView
from monitor.domain.staleness import find_stale
from monitor.rules_file import load_rules

RULES = load_rules().frozen
SESSIONS = np.arange(3000, 4000)
DATES = np.array([session_date(int(s)) for s in SESSIONS], dtype="datetime64[D]")
MARKET = load_market("zl")
VIX = "forecasting_data_warehouse.vix_daily"
COT = "forecasting_data_warehouse.cftc_cot"


def view(values, rows: int | None = None) -> MarketView:
    price = np.linspace(40, 50, len(SESSIONS))
    return MarketView(SESSIONS, DATES, price, {"ho": np.asarray(values, dtype=float)}, {}).until(rows or len(SESSIONS))


def moving(seed: int = 0):
    return 3 + np.cumsum(np.random.default_rng(seed).normal(0, 0.01, len(SESSIONS)))


@given(st.lists(st.sampled_from([1.0, 2.0, float("nan")]), min_size=1, max_size=30))
def test_sessions_without_a_change_against_a_loop(values: list[float]) -> None:
    found, last, since = [], None, 0
    for row, value in enumerate(values):
        if not np.isnan(value) and value != last:
            last, since = value, row
        found.append(row - since)
    assert unchanged(np.array(values)).tolist() == found


def test_a_feed_that_stands_still_is_found_on_the_third_session_and_not_before() -> None:
    values = moving()
    values[700:] = values[699]
    assert [bool(find_frozen(view(values, end), ["ho"], RULES)) for end in (701, 702, 703, 720)] == [
        False,
        False,
        True,
        True,
    ]
    (found,) = find_frozen(view(values, 720), ["ho"], RULES)
    assert (found.condition, found.since) == ("frozen/ho", session_date(3702))
    assert found.evidence["sessions"] == 20


def test_what_a_feed_has_done_before_is_no_finding() -> None:
    values = moving()
    values[300:310] = values[300]  # a pause of nine sessions
    values[700:] = values[699]
    assert not find_frozen(view(values, 709), ["ho"], RULES)
    assert find_frozen(view(values, 710), ["ho"], RULES)


def test_a_missing_value_is_no_change() -> None:
    values = moving()
    values[700:] = np.nan
    assert find_frozen(view(values, 703), ["ho"], RULES)


def test_a_series_that_never_moved_is_not_frozen_of_late() -> None:
    assert not find_frozen(view(np.full(len(SESSIONS), 3.0)), ["ho"], RULES)


def test_what_comes_later_changes_no_finding() -> None:
    values = moving()
    values[700:] = values[699]
    other = values.copy()
    other[710:] = 9.0
    assert find_frozen(view(values, 710), ["ho"], RULES) == find_frozen(view(other, 710), ["ho"], RULES)


def quality(**newest: date | None):
    names = {"vix": VIX, "cot": COT}
    return {names[key]: TableQuality(rows=10, verdict="ok", newest=day) for key, day in newest.items()}


@pytest.mark.parametrize(("age", "stale"), [(0, False), (3, False), (4, True), (40, True)])
def test_a_daily_table_is_stale_beyond_its_limit(age: int, stale: bool) -> None:
    as_of = date(2024, 6, 3)
    newest = session_date(session_number(as_of) - age)
    found = find_stale(MARKET, quality(vix=newest), as_of)
    assert [f.condition for f in found] == ([f"stale/{VIX}"] if stale else [])
    if stale:
        assert found[0].evidence == {"newest": newest.isoformat(), "age_sessions": age, "allowed_sessions": 3}
        assert session_number(found[0].since) == session_number(newest) + 4


def test_a_weekly_table_has_its_lag_its_week_and_its_patience() -> None:
    as_of = date(2024, 6, 3)
    for age, stale in ((19, False), (20, True)):
        newest = session_date(session_number(as_of) - age)
        assert bool(find_stale(MARKET, quality(cot=newest), as_of)) is stale


def test_a_table_nothing_of_which_is_used_has_no_age() -> None:
    assert find_stale(MARKET, quality(vix=None), date(2024, 6, 3)) == []
    assert find_stale(MARKET, {}, date(2024, 6, 3)) == []


def test_the_view_ends_where_it_is_cut() -> None:
    whole = view(moving())
    cut = whole.until(10)
    assert len(cut.price) == len(cut.series["ho"]) == 10
    assert cut.day(9) == session_date(3009)
    assert replace(cut, price=whole.price).price is whole.price
