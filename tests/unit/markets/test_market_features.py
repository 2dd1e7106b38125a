"""What a market file says of features: for which horizons, known when, and with whose sign."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import pytest

from cbi_common.core.errors import UsageError
from cbi_common.core.horizon import Horizon
from cbi_common.markets import Market, load_market
from cbi_common.markets.files import parse_market
from cbi_common.markets.spec import FeatureSpec

LONG = set(Horizon) - {Horizon.W1}
SHORT = {Horizon.W1, Horizon.M1}

FILE = """
id = "tea"
name = "Tea"
unit = "$/kg"
calendar = "CBOT_Agriculture"
price = "tea"
groups = ["technical"]
correlation_pairs = []
eras = [{ name = "all", start = 1900-01-01, end = 2100-12-31, weight = 1 }]
expected_signs = { tea = 1 }
features = [
  { name = "now", group = "technical", kind = "log_return", inputs = ["tea"], params = { sessions = 1 }, unit = "log", doc = "Return of the day", horizons = ["1w"] },
  { name = "stir", group = "technical", kind = "realised_vol", inputs = ["tea"], params = { window = 21 }, unit = "per year", doc = "Volatility of a month", signed = false },
  { name = "crop", group = "technical", kind = "time_of_year", params = { first = [5, 1], last = [9, 15] }, unit = "0-1", doc = "From first to last flush", horizons = ["6m", "12m"] },
]

[[tables]]
name = "own.tea"
date = "day"
unit = "$/kg"
release_lag_sessions = 2
series = [
  { name = "tea", value = "close", staleness_sessions = 3, required = true },
  { name = "leaf", value = "leaf", unit = "t", staleness_sessions = 3, late = [[2019-01-01, 2019-02-01]] },
]
"""  # noqa: E501


@pytest.fixture
def tea() -> Market:
    return parse_market(FILE, where="tea.toml")


def test_a_feature_serves_every_horizon_unless_it_says_otherwise(tea: Market) -> None:
    assert [set(feature.horizons) for feature in tea.features] == [{"1w"}, set(Horizon), {"6m", "12m"}]
    assert tea.withheld_from([Horizon.W1]) == {"crop"}
    assert tea.withheld_from([Horizon.M1]) == {"now", "crop"}
    assert tea.withheld_from([Horizon.W1, Horizon.M12]) == frozenset()


def test_what_is_said_of_a_table_holds_for_its_series_unless_they_say_otherwise(tea: Market) -> None:
    assert [(s.date, s.unit, s.release_lag_sessions, len(s.late)) for s in tea.series] == [
        ("day", "$/kg", 2, 0),
        ("day", "t", 2, 1),
    ]


def test_a_volatility_has_no_sign(tea: Market) -> None:
    assert [feature.name for feature in tea.drivers_of("tea")] == ["now"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('horizons = ["1w"]', "horizons = []", "horizons"),
        ('horizons = ["1w"]', 'horizons = ["2w"]', "horizons"),
        ("[2019-01-01, 2019-02-01]", "[2019-02-01, 2019-01-01]", "runs backward"),
        ('date = "day"', 'date = "day"\nlag = 3', "lag"),
        ("first = [5, 1]", 'first = "May"', "first"),
    ],
)
def test_a_wrong_entry_is_refused_in_one_line(old: str, new: str, says: str) -> None:
    assert FILE.count(old) == 1
    with pytest.raises(UsageError, match=r"tea\.toml") as caught:
        parse_market(FILE.replace(old, new), where="tea.toml")
    assert says in caught.value.line()
    assert "\n" not in caught.value.line()


def test_a_market_survives_the_lake() -> None:
    market = load_market("zl")
    assert Market.model_validate(market.model_dump(mode="json")) == market


def test_soybean_oil_keeps_to_its_rule_of_horizons() -> None:
    market = load_market("zl")
    assert len(market.features) >= 100
    for feature in (f for f in market.features if market.news_series.isdisjoint(f.inputs)):
        served = set(feature.horizons)
        if feature.kind == "season_return":
            assert [h.sessions for h in feature.horizons] == [feature.params["sessions"]], feature.name
        elif _stretch(feature) <= 5 and feature.kind not in {"level", "season_sin", "season_cos", "variance_ratio"}:
            assert served <= SHORT, feature.name
        elif feature.kind.endswith("zscore") or feature.kind.endswith("anomaly") or _stretch(feature) in {126, 252}:
            slow = served == LONG or feature.kind in _STATES
            assert slow, feature.name


_STATES = {"mean_ratio", "vol_ratio", "beta", "correlation", "variance_ratio"}
"""They measure the state of a market over a long window; the state matters to every horizon."""


def _stretch(feature: FeatureSpec) -> float:
    lengths = [feature.params[name] for name in ("sessions", "window", "slow") if name in feature.params]
    numbers = [length for length in lengths if not isinstance(length, tuple)]
    return max(numbers, default=1000)


def test_every_feature_of_soybean_oil_has_a_group_that_attribution_knows() -> None:
    market = load_market("zl")
    assert {feature.group for feature in market.features} <= set(market.groups)
    assert set(market.groups) - {f.group for f in market.features} <= {"policy", "weather", "sentiment"}


def test_the_shipped_files_give_the_reason_of_every_lag() -> None:
    text = files("cbi_common.markets").joinpath("zl.toml").read_text(encoding="utf-8")
    lagged: list[Any] = [spec for spec in load_market("zl").series if spec.release_lag_sessions]
    for table in {spec.table for spec in lagged}:
        before = text[: text.index(f'[[tables]]\nname = "{table}"')].rstrip().splitlines()
        assert before[-1].startswith("# "), table
