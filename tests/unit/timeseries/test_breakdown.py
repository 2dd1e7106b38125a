from datetime import date

import numpy as np

from cbi_common.timeseries.breakdown import Scored, by_group, era_groups, move_groups, regime_groups
from cbi_common.timeseries.eras import Era

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
        assert sum(score.n for score in found.values()) == 195
    found = by_group(ROWS, regime_groups(labels, ("a", "b", "c")))
    assert sum(score.n for score in found.values()) == int(((labels >= 0) & np.isfinite(ROWS.y)).sum())


def test_a_group_scores_as_its_rows_alone():
    mask = np.arange(N) < 51
    score = by_group(ROWS, {"2020": mask})["2020"]
    forecast, actual = ROWS.price[mask] * np.exp(ROWS.y_hat[mask]), ROWS.price[mask] * np.exp(ROWS.y[mask])
    naive = sum(abs(f - a) for f, a in zip(forecast, actual, strict=True)) / mask.sum()
    unchanged = sum(abs(p - a) for p, a in zip(ROWS.price[mask], actual, strict=True)) / mask.sum()
    assert abs(score.mae - naive) < 1e-9
    assert abs(score.skill - (1 - naive / unchanged)) < 1e-9


def test_a_group_without_outcomes_is_left_out():
    assert by_group(ROWS, {"none": np.zeros(N, dtype=bool), "unknown": np.isnan(ROWS.y)}) == {}
