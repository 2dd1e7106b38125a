import tomllib
from datetime import date
from itertools import pairwise
from typing import Any

import pytest
from pydantic import ValidationError

from cbi_common.core.errors import UsageError
from cbi_common.markets import Market, load_market
from cbi_common.markets.files import parse_market

SMALL = """
id = "tea"
name = "Tea"
unit = "¢/lb"
calendar = "CBOT_Agriculture"
price = "tea"
lot_size = 1000
groups = ["technical"]
correlation_pairs = [["tea", "milk"]]
bars = [{ open = "milk", high = "milk", low = "milk", close = "tea" }]
features = [
  { name = "tea_return", group = "technical", kind = "level", inputs = ["tea"], unit = "¢/lb", doc = "Price of tea" },
]
eras = [
  { name = "old", start = 1900-01-01, end = 1999-12-31, weight = 1 },
  { name = "new", start = 2000-01-01, end = 2100-12-31, weight = 2 },
]
[expected_signs]
milk = 1
[[tables]]
name = "shop.prices"
date = "day"
series = [
  { name = "tea", value = "tea", unit = "¢/lb", staleness_sessions = 0, required = true },
  { name = "milk", value = "milk", unit = "¢/l", staleness_sessions = 0 },
]
"""


def changed(old: str, new: str) -> str:
    assert old in SMALL
    return SMALL.replace(old, new)


def test_series_take_table_and_date_from_the_table_they_stand_in() -> None:
    market = parse_market(SMALL, where="tea.toml")
    assert {s.name: (s.table, s.date) for s in market.series} == dict.fromkeys(("tea", "milk"), ("shop.prices", "day"))
    assert [s.name for s in market.tables["shop.prices"]] == ["tea", "milk"]
    assert [f.name for f in market.drivers_of("tea")] == ["tea_return"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (changed('price = "tea"', 'price = "coffee"'), "coffee"),
        (changed('["tea", "milk"]]', '["tea", "coffee"]]'), "coffee"),
        (changed('inputs = ["tea"]', 'inputs = ["coffee"]'), "coffee"),
        (changed("milk = 1", "coffee = 1"), "coffee"),
        (changed('open = "milk"', 'open = "coffee"'), "coffee"),
        (changed('group = "technical"', 'group = "weather"'), "weather"),
        (changed('name = "milk"', 'name = "tea"'), "two series"),
        (changed(", required = true", ""), "must be required"),
        (changed("start = 2000-01-01", "start = 1999-01-01"), "'new'"),
        (changed("lot_size = 1000", "lot_size = 1000\nlots = 2"), "lots"),
        (changed('name = "shop.prices"', 'name = "../prices"'), "table"),
        (changed("weight = 2", "weight = -2"), "weighs"),
        ("price = [", "not TOML"),
    ],
)
def test_a_wrong_market_file_is_refused_in_one_line(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=r"^tea\.toml: ") as caught:
        parse_market(text, where="tea.toml")
    assert says in caught.value.line()
    assert "\n" not in caught.value.line()


@pytest.mark.parametrize("market", ["gold", "../markets/zl", "ZL", ""])
def test_an_unknown_market_names_the_known_ones(market: str) -> None:
    with pytest.raises(UsageError, match=r"known are: wti, zl;"):
        load_market(market)


def test_soybean_oil_covers_the_groups_signs_and_pairs_of_the_domain() -> None:
    market = load_market("zl")
    assert market.by_name["zl"].value == "soybean_oil_price_cwt"
    assert market.lot_size == 60_000
    assert len(market.features) >= 45
    assert set(market.group_of.values()) == set(market.groups)
    assert market.expected_signs == {"dxy": -1, "usd_brl": -1, "palm": 1, "cl": 1, "ho": 1, "vix": 0}
    assert all(market.drivers_of(series) for series in market.expected_signs)
    assert {pair[1] for pair in market.correlation_pairs} == {"palm", "cl", "ho", "zs", "dxy", "vix"}


def test_eras_leave_no_day_out_and_weigh_as_the_plan_says() -> None:
    eras = load_market("zl").eras
    assert eras[0].start == date(1900, 1, 1)
    for before, after in pairwise(eras):
        assert before.end is not None
        assert after.start is not None
        assert (after.start - before.end).days == 1
    assert [era.weight for era in eras] == [50, 100, 500, 300, 400, 1500, 800, 1200, 5000]


def test_positions_are_never_known_before_their_release() -> None:
    market = load_market("zl")
    weekly = [series for series in market.series if series.frequency == "week"]
    assert weekly
    # Tuesday's positions come out on Friday after the close of Chicago.
    assert all(series.release_lag_sessions >= 4 for series in weekly)


def test_a_market_is_frozen_and_its_digest_follows_its_content() -> None:
    market = load_market("zl")
    with pytest.raises(ValidationError):
        market.lot_size = 1  # type: ignore[misc]
    raw: dict[str, Any] = tomllib.loads(SMALL)
    assert Market.model_validate(raw).sha256 == Market.model_validate(tomllib.loads(SMALL)).sha256
    assert Market.model_validate({**raw, "lot_size": 2}).sha256 != Market.model_validate(raw).sha256
