"""Datasets, column rules and exports of a market file: references lead somewhere, rules match as written."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import pytest

from cbi_common.core.errors import UsageError
from cbi_common.core.horizon import Horizon
from cbi_common.markets import Market, load_market
from cbi_common.markets.datasets import ColumnRule, rule_of
from cbi_common.markets.files import parse_market

PLAN = {
    "trump_rich_2023_2025",
    *(f"production_training_data_{horizon}" for horizon in Horizon),
    "historical_full",
    "trump_2.0_2023_2025",
    "trade_war_2017_2019",
    "inflation_2021_2022",
    "crisis_2008_2020",
    "historical_pre2000",
}


def changed(**update: Any) -> Market:
    return Market.model_validate({**load_market("zl").model_dump(), **update})


def test_soybean_oil_exports_the_files_of_the_plan() -> None:
    market = load_market("zl")
    assert {export.file for export in market.exports} == PLAN
    assert {export.dataset for export in market.exports} == {"full", *(d.name for d in market.datasets)}
    for horizon in Horizon:
        (file,) = [e for e in market.exports if e.file == f"production_training_data_{horizon}"]
        assert file.horizons == (horizon,)


@pytest.mark.parametrize(
    ("column", "lag", "dropped"),
    [
        ("cftc_commercial_net", 5, False),
        ("econ_gdp_growth", 88, False),
        ("cpi_yoy", 33, False),
        ("zl_f_close", None, False),
        ("china_tariff_rate", None, True),
        ("target_12m", None, True),
        ("adm_analyst_target", None, True),
        ("seasonal_index", None, True),
        ("seasonal_sin", None, False),
    ],
)
def test_a_column_of_the_owners_tables_has_its_rule(column: str, lag: int | None, dropped: bool) -> None:
    rule = rule_of(load_market("zl").column_rules, column)
    assert (rule.lag_sessions, rule.drop is not None) == (lag, dropped)


def test_the_first_rule_that_matches_holds() -> None:
    rules = (ColumnRule(columns=("a_*", "b?"), lag_sessions=1), ColumnRule(columns=("*",), lag_sessions=2))
    assert [rule_of(rules, name).lag_sessions for name in ("a_x", "bc", "bcd", "A_x", "a")] == [1, 1, 2, 2, 2]
    assert rule_of((), "x") == ColumnRule(columns=("x",))


@pytest.mark.parametrize(
    ("update", "says"),
    [
        ({"exports": [{"file": "f", "dataset": "gone"}]}, "export f: no dataset 'gone'"),
        ({"exports": [{"file": "f", "dataset": "panel"}]}, "export f: no dataset 'panel'"),
        ({"exports": [{"file": "f", "dataset": "full", "eras": ["golden"]}]}, "export f: no era 'golden'"),
        ({"exports": [{"file": "f", "dataset": "full"}] * 2}, "two exports entries are called 'f'"),
        ({"datasets": [{"name": "full", "table": "a.b", "date": "d"}], "exports": []}, "'full' is a name of its own"),
        ({"datasets": [{"name": "x", "table": "a.b", "date": "d"}] * 2, "exports": []}, "two datasets entries"),
    ],
)
def test_a_reference_that_leads_nowhere_is_refused(update: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match="validation error") as caught:
        changed(**update)
    assert says in str(caught.value)


def test_a_file_name_cannot_lead_out_of_the_folder() -> None:
    for name in ("../up", "a/b", "/root", ".hidden", ""):
        with pytest.raises(ValueError, match="file"):
            changed(exports=[{"file": name, "dataset": "full"}])


def test_a_mistake_in_the_file_is_one_line() -> None:
    shipped = files("cbi_common.markets").joinpath("zl.toml").read_text(encoding="utf-8")
    wrong = shipped + '\n[[exports]]\nfile = "f"\ndataset = "full"\nhorizons = ["2w"]\n'
    with pytest.raises(UsageError, match=rf"exports\.{len(PLAN)}\.horizons\.0: Input should be"):
        parse_market(wrong, where="markets/zl.toml")
