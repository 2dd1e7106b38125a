"""Three sentences on a forecast: true to its numbers, in words that a buyer uses, and not one that claims too much."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbi_common.core.horizon import Horizon
from cbi_common.core.regime import Regime
from cbi_common.events.forecast import HorizonForecast
from cbi_common.events.training import Metrics
from explain.domain.why import why

JARGON = re.compile(r"log|SHAP|skill|MAPE|p-value|regime|ensemble|feature|nan|None|_", re.IGNORECASE)


def metrics(**known: Any) -> Metrics:
    empty: dict[str, Any] = dict.fromkeys(list(Metrics.model_fields)[2:])
    return Metrics(**({"n": 252, "n_effective": 252.0, **empty} | known))


def forecast(point: float, **changes: Any) -> HorizonForecast:
    known: dict[str, Any] = {
        "target_date": date(2025, 6, 17), "target_session": 6400, "point": point, "lower_90": 44.0, "upper_90": 56.0,
        "quantiles": {}, "current": 50.0, "no_change": 50.0, "signal": "MONITOR", "probability_up": 0.5,
        "regime": Regime.NORMAL, "volatility": 0.06, "combiner": "experts", "members": {},
        "metrics": metrics(mape=0.078, no_change_mape=0.077, skill=-0.01, dm_p=0.6),
        "coverage_90": None, "winkler_90": None, "worst_year_coverage": None, "coverage_90_last60": None,
    }  # fmt: skip
    return HorizonForecast(**(known | changes))


def sentences(point: float, groups: dict[str, float], **changes: Any) -> tuple[str, str, str]:
    return why(Horizon.M1, forecast(point, **changes), groups, what="soybean oil", unit="¢/lb")


def test_a_rise_names_its_size_its_reasons_and_what_stands_against_it() -> None:
    expected, reasons, trust = sentences(52.0, {"palm": 1.5, "energy": 0.9, "china": 0.02, "dollar": -0.4})
    assert expected == (
        "In a month, on 17 June 2025, soybean oil is expected at 52.00 ¢/lb, 4.0 % above today's 50.00, "
        "and with nine chances in ten between 44.00 and 56.00."
    )
    assert reasons == (
        "In ¢/lb, palm oil (+1.50) and crude oil and fuels (+0.90) push the forecast up; "
        "the dollar (-0.40) pulls it down."
    )
    assert trust.endswith("as far as anyone can tell, no better.")


def test_a_fall_begins_with_what_pushes_down() -> None:
    _, reasons, _ = sentences(48.0, {"palm": 0.5, "energy": -2.5})
    assert reasons == "In ¢/lb, crude oil and fuels (-2.50) pushes the forecast down; palm oil (+0.50) pulls it up."


def test_hardly_a_move_is_called_none() -> None:
    expected, reasons, _ = sentences(50.1, {"palm": 0.1})
    assert "about where it is today (50.10 ¢/lb against 50.00)" in expected
    assert reasons.endswith("push the forecast up, and nothing of note pulls it down.".replace("push", "pushes"))


@pytest.mark.parametrize("groups", [{}, {"palm": 0.001, "energy": -0.004}])
def test_without_a_reason_none_is_made_up(groups: dict[str, float]) -> None:
    assert sentences(50.0, groups)[1].startswith("No reason stands out")


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"mape": 0.05, "no_change_mape": 0.06, "skill": 0.1, "dm_p": 0.005}, "better, and hardly by luck"),
        ({"mape": 0.05, "no_change_mape": 0.06, "skill": 0.1, "dm_p": 0.02}, "as far as anyone can tell, no better"),
        ({"mape": 0.05, "no_change_mape": 0.06, "skill": 0.1, "dm_p": None}, "as far as anyone can tell, no better"),
        (
            {"mape": 0.2, "no_change_mape": 0.3, "skill": 0.3, "dm_p": 0.01, "n_effective": 6.0},
            "with only 6 periods to judge by, that proves nothing",
        ),
        ({}, "Nothing like it has come due yet"),
    ],
)
def test_trust_claims_no_more_than_the_record_does(known: dict[str, Any], said: str) -> None:
    assert said in sentences(50.0, {}, metrics=metrics(**known))[2]


SHARES = st.dictionaries(st.sampled_from(["palm", "energy", "rates", "expectation", "hog_cycle"]), st.floats(-9, 9))


@given(st.floats(30, 80), SHARES)
def test_every_number_is_the_forecasts_own(point: float, groups: dict[str, float]) -> None:
    found = sentences(point, groups)
    assert len(found) == 3
    assert all(sentence.endswith(".") and "\n" not in sentence for sentence in found)
    assert not any(JARGON.search(sentence) for sentence in found)
    numbers = [float(text) for text in re.findall(r"\(([+-]\d+\.\d+)\)", found[1])]
    assert set(numbers) <= {round(share, 2) for share in groups.values()}


@pytest.mark.parametrize(
    ("name", "within"),
    [
        ("Soybean oil", "soybean oil is"),
        ("WTI crude oil", "WTI crude oil is"),
        ("S&P 500", "S&P 500 is"),
        ("Tin", "tin is"),
    ],
)
def test_a_name_within_a_sentence_keeps_the_capitals_that_belong_to_it(name: str, within: str) -> None:
    first, *_ = why(Horizon.M1, forecast(51.0), {"palm": 1.0}, what=name, unit="¢/lb")
    assert f", {within} expected" in first
