from dataclasses import replace
from datetime import date

import numpy as np

from cbi_common.timeseries.breakdown import Scored, by_group, era_groups, move_groups, regime_groups
from cbi_common.timeseries.eras import Era
from cbi_common.timeseries.scoring import score

RNG = np.random.default_rng(4)
N = 200
DATES = np.datetime64("2020-01-06") + 7 * np.arange(N)
ROWS = Scored(
    dates=DATES,
    sessions=5 * np.arange(N),
    price=RNG.uniform(30, 60, N),
    y_hat=RNG.normal(0, 0.01, N),
    y=np.where(np.arange(N) < 195, RNG.normal(0, 0.06, N), np.nan),
    horizon_sessions=5,
    step=5,
)


def test_groups_cover_every_known_row_once():
    eras = [Era("early", None, date(2021, 6, 30), 1.0), Era("late", date(2021, 7, 1), None, 1.0)]
    labels = RNG.integers(-1, 3, N)
    for groups in (era_groups(DATES, eras), move_groups(ROWS.y)):
        found = by_group(ROWS, groups)
        assert sum(part.n for part in found.values()) == 195
    found = by_group(ROWS, regime_groups(labels, ("a", "b", "c")))
    assert sum(part.n for part in found.values()) == int(((labels >= 0) & np.isfinite(ROWS.y)).sum())


def test_a_group_scores_as_its_rows_alone():
    mask = np.arange(N) < 51
    found = by_group(ROWS, {"2020": mask})["2020"]
    forecast, actual = ROWS.price[mask] * np.exp(ROWS.y_hat[mask]), ROWS.price[mask] * np.exp(ROWS.y[mask])
    naive = sum(abs(f - a) for f, a in zip(forecast, actual, strict=True)) / mask.sum()
    unchanged = sum(abs(p - a) for p, a in zip(ROWS.price[mask], actual, strict=True)) / mask.sum()
    assert abs(found.mae - naive) < 1e-9
    assert abs(found.skill - (1 - naive / unchanged)) < 1e-9


def test_a_group_without_outcomes_is_left_out():
    assert by_group(ROWS, {"none": np.zeros(N, dtype=bool), "unknown": np.isnan(ROWS.y)}) == {}


def test_sizes_of_move_are_those_of_the_price_up_or_down():
    size = np.array([0.0, 0.019, 0.021, 0.049, 0.051, 0.099, 0.101, 0.9])
    for y in (np.log1p(size), np.log1p(-size)):
        assert {name: np.flatnonzero(mask).tolist() for name, mask in move_groups(y).items()} == {
            "< 2 %": [0, 1],
            "2 %-5 %": [2, 3],
            "5 %-10 %": [4, 5],
            "> 10 %": [6, 7],
        }


def test_regimes_and_eras_are_named_in_order():
    assert {name: mask.tolist() for name, mask in regime_groups(np.array([0, 1, -1, 0]), ("a", "b")).items()} == {
        "a": [True, False, False, True],
        "b": [False, True, False, False],
    }
    eras = [Era("early", None, date(2021, 6, 30), 1.0), Era("late", date(2021, 7, 1), None, 1.0)]
    days = np.array(["2021-06-30", "2021-07-01", "2024-01-02"], dtype="datetime64[D]")
    assert {name: mask.tolist() for name, mask in era_groups(days, eras).items()} == {
        "early": [True, False, False],
        "late": [False, True, True],
    }


def test_a_group_is_scored_over_its_own_horizon_and_step():
    long = replace(ROWS, horizon_sessions=21)
    mask = np.arange(N) < 150
    whole = score(
        ROWS.sessions[mask], ROWS.sessions[mask] + 21, ROWS.price[mask], ROWS.y_hat[mask], ROWS.y[mask],
        horizon_sessions=21, step=5,
    )  # fmt: skip
    assert by_group(long, {"x": mask})["x"] == whole
