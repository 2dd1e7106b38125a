from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbi_common.core.errors import DataError
from cbi_common.timeseries.eras import Era, era_of, era_weights, kish_effective_size

ERAS = (
    Era("old", None, date(1999, 12, 31), 50),
    Era("middle", date(2000, 1, 1), date(2022, 12, 31), 100),
    Era("new", date(2023, 1, 1), None, 5000),
)


def days(*counts: int) -> np.ndarray:
    starts = ("1990-01-01", "2001-01-01", "2023-01-01")
    return np.concatenate([np.datetime64(s, "D") + np.arange(n) for s, n in zip(starts, counts, strict=True)])


def test_era_of_includes_both_ends() -> None:
    dates = np.array(["1999-12-31", "2000-01-01", "2022-12-31", "2023-01-01"], dtype="datetime64[D]")
    assert era_of(dates, ERAS).tolist() == [0, 1, 1, 2]
    assert era_of(dates, ERAS[1:2]).tolist() == [-1, 0, 0, -1]


def test_plan_weights_keep_the_stated_ratios_and_have_mean_one() -> None:
    weights = era_weights(days(3, 4, 5), ERAS, "plan")
    assert weights.mean() == pytest.approx(1.0)
    assert weights[-1] / weights[0] == pytest.approx(100.0)
    assert weights[3] / weights[0] == pytest.approx(2.0)


def test_uniform_weights_need_no_era() -> None:
    assert era_weights(days(1, 1, 1), (), "uniform").tolist() == [1.0, 1.0, 1.0]


def test_capped_weights_by_hand() -> None:
    # The plan's totals are 500, 4 000 and 250 000. The third is held at its half of the rows; of the other half the
    # second would take 8/9 and is held at 0.4.
    weights = era_weights(days(10, 40, 50), ERAS, "capped")
    shares = np.array([weights[:10].sum(), weights[10:50].sum(), weights[50:].sum()]) / weights.sum()
    np.testing.assert_allclose(shares, [0.1, 0.4, 0.5])


@given(st.tuples(*[st.integers(0, 300)] * 3).filter(any), st.floats(0.05, 1.0))
def test_no_era_exceeds_its_limit_and_the_others_keep_the_ratios_of_the_plan(
    counts: tuple[int, int, int], cap: float
) -> None:
    dates = days(*counts)
    weights, plan = era_weights(dates, ERAS, "capped", cap=cap), era_weights(dates, ERAS, "plan")
    where = era_of(dates, ERAS)
    shares = np.bincount(where, weights, minlength=3) / weights.sum()
    limits = np.maximum(cap, np.array(counts) / sum(counts))
    assert weights.mean() == pytest.approx(1.0)
    assert (weights > 0).all()
    assert (shares <= limits * (1 + 1e-9)).all()
    kept = np.isin(where, np.flatnonzero(shares < limits * (1 - 1e-9)))
    if kept.any():
        ratio = weights[kept] / plan[kept]
        np.testing.assert_allclose(ratio, ratio[0])


def test_a_new_era_of_one_day_does_not_outweigh_its_past() -> None:
    weights = era_weights(days(0, 1000, 1), ERAS, "capped")
    assert weights[-1] / weights.sum() < 0.05


def test_kish_effective_size() -> None:
    assert kish_effective_size(np.full(7, 3.0)) == pytest.approx(7.0)
    assert kish_effective_size(np.array([1.0, 0.0])) == 1.0
    assert kish_effective_size(np.array([])) == 0.0


def test_a_date_in_no_era_is_refused() -> None:
    with pytest.raises(DataError, match="1990-01-01 belongs to no era"):
        era_weights(days(1, 1, 0), ERAS[1:], "plan")


def test_no_rows_have_no_weights() -> None:
    assert era_weights(days(0, 0, 0), ERAS, "capped").tolist() == []


def test_eras_that_share_a_day_are_refused() -> None:
    twice = (Era("a", None, date(2000, 1, 1), 1), Era("b", date(2000, 1, 1), None, 1))
    with pytest.raises(ValueError, match="a and b share a day"):
        era_of(days(1, 0, 0), twice)


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan")])
def test_a_weight_must_be_positive(weight: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        Era("x", None, None, weight)


def test_an_era_ends_after_its_start() -> None:
    with pytest.raises(ValueError, match="before its start"):
        Era("x", date(2001, 1, 1), date(2000, 1, 1), 1)


def test_an_era_may_be_one_day_long() -> None:
    day = date(2001, 1, 1)
    dates = np.array(["2000-12-31", "2001-01-01", "2001-01-02"], dtype="datetime64[D]")
    assert era_of(dates, (Era("x", day, day, 1),)).tolist() == [-1, 0, -1]


def test_eras_may_be_given_in_any_order_and_follow_each_other_day_by_day() -> None:
    dates = np.array(["1990-01-01", "2010-01-01", "2024-01-01"], dtype="datetime64[D]")
    assert era_of(dates, ERAS[::-1]).tolist() == [2, 1, 0]


@pytest.mark.parametrize(
    "eras",
    [
        (Era("a", None, None, 1), Era("b", date(2000, 1, 1), None, 1)),
        (Era("a", None, date(2000, 1, 1), 1), Era("b", None, date(1999, 1, 1), 1)),
        (Era("a", date(2000, 1, 1), None, 1), Era("b", date(2005, 1, 1), date(2006, 1, 1), 1)),
        (Era("b", date(2000, 6, 1), date(2001, 1, 1), 1), Era("a", date(2000, 1, 1), date(2000, 6, 1), 1)),
    ],
)
def test_every_way_to_share_a_day_is_refused(eras: tuple[Era, ...]) -> None:
    with pytest.raises(ValueError, match="share a day"):
        era_of(days(1, 0, 0), eras)


def test_a_date_in_no_era_says_what_to_do() -> None:
    with pytest.raises(DataError, match="2023-01-01 belongs to no era; let the market file's eras cover the data"):
        era_weights(days(1, 1, 2), ERAS[:2], "capped")


def test_a_bad_era_is_named() -> None:
    with pytest.raises(ValueError, match="era x weighs 0, a weight must be positive"):
        Era("x", None, None, 0)
    with pytest.raises(ValueError, match="era x ends on 2000-01-01, before its start 2001-01-01"):
        Era("x", date(2001, 1, 1), date(2000, 1, 1), 1)


def test_weights_are_the_plans_to_the_last_row() -> None:
    weights = era_weights(days(1, 1, 2), ERAS, "plan")
    np.testing.assert_allclose(weights, np.array([50, 100, 5000, 5000]) * 4 / 10150)


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_only_the_ratios_of_the_weights_count(scale: float) -> None:
    dates = days(10, 40, 50)
    scaled = [replace(era, weight=era.weight * scale) for era in ERAS]
    for scheme in ("plan", "capped"):
        np.testing.assert_allclose(era_weights(dates, scaled, scheme), era_weights(dates, ERAS, scheme))
