"""A contest scores everybody on the same cutoffs, by hand-computed figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cbi_common.core.horizon import Horizon
from cbi_common.testing.contest import Course, Forecasts, read_forecasts
from cbi_common.timeseries.dataset import Dataset, Floats

HORIZON = Horizon.W1
CUTOFFS = np.arange(10, 90, 5)


def panel() -> Dataset:
    sessions = np.arange(100)
    price = 50.0 + 5.0 * np.sin(sessions / 7.0)
    dates = np.datetime64("2020-01-01") + sessions
    return Dataset(sessions, dates, price, np.empty((100, 0)), ())


def actual(rows: Floats) -> Floats:
    return np.asarray(panel().price[rows + HORIZON.sessions])


def flat(width: float | None = 4.0) -> Forecasts:
    price = panel().price[CUTOFFS]
    around = np.full(len(CUTOFFS), np.nan if width is None else width)
    return Forecasts(CUTOFFS, price, price - around, price + around)


def perfect() -> Forecasts:
    return Forecasts(CUTOFFS, actual(CUTOFFS), actual(CUTOFFS) - 1, actual(CUTOFFS) + 1)


def course() -> Course:
    return Course(panel(), {HORIZON: flat()}, step=5)


def test_who_says_what_happens_has_all_the_skill_and_the_narrowest_band() -> None:
    standing = course().stand("oracle", HORIZON, perfect(), every=5)
    assert (standing.n, standing.skill, standing.mape) == (len(CUTOFFS), pytest.approx(1), pytest.approx(0, abs=1e-12))
    assert (standing.coverage, standing.winkler) == (1.0, pytest.approx(2.0))
    assert standing.served_skill == pytest.approx(0)
    assert standing.dm_p is not None
    assert standing.dm_p < 0.01
    assert standing.served_better_p is not None
    assert standing.served_better_p > 0.99


def test_figures_are_those_of_a_naive_loop() -> None:
    said = Forecasts(CUTOFFS, flat().forecast + 1.0, flat().lower, flat().upper)
    standing = course().stand("a cent too high", HORIZON, said, every=10)
    errors, unchanged, scores, hits = [], [], [], 0
    for session in (s for s in CUTOFFS.tolist() if s % 10 == 0):
        now, then = panel().price[session], panel().price[session + 5]
        errors.append(abs(now + 1.0 - then))
        unchanged.append(abs(now - then))
        hits += now - 4 <= then <= now + 4
        scores.append(8 + 20 * max(now - 4 - then, then - now - 4, 0))
    assert standing.n == len(errors) == 8
    assert standing.skill == pytest.approx(1 - sum(errors) / sum(unchanged))
    assert standing.coverage == pytest.approx(hits / 8)
    assert standing.winkler == pytest.approx(sum(scores) / 8)


def test_nobody_may_be_silent_where_it_is_hard() -> None:
    said = flat()
    fewer = Forecasts(said.sessions[:-1], said.forecast[:-1], said.lower[:-1], said.upper[:-1])
    with pytest.raises(KeyError, match="no forecast at session 85"):
        course().stand("silent", HORIZON, fewer, every=5)


def test_without_a_band_there_is_no_score_of_one() -> None:
    standing = course().stand("point", HORIZON, flat(None), every=5)
    assert (standing.coverage, standing.winkler) == (None, None)
    assert standing.served_coverage > 0


def test_problem_and_answer_travel_as_files(tmp_path: Path) -> None:
    assert course().write(tmp_path, every=20, threads=1) == 4
    assert (tmp_path / "cutoffs.csv").read_text().splitlines()[:2] == ["session,horizon,target", "20,5,2000-02-08"]
    prices = [float(line.split(",")[2]) for line in (tmp_path / "series.csv").read_text().splitlines()[1:]]
    np.testing.assert_array_equal(prices, panel().price)
    answer = "contender,session,horizon,forecast,lower,upper\na,25,5,2,,\na,20,5,1,0.5,1.5\nb,20,21,3,2,4\n"
    (tmp_path / "forecasts.csv").write_text(answer)
    found = read_forecasts(tmp_path / "forecasts.csv")
    assert found["a"][HORIZON].sessions.tolist() == [20, 25]
    assert found["a"][HORIZON].forecast.tolist() == [1, 2]
    assert not found["a"][HORIZON].has_band
    assert found["b"][Horizon.M1].has_band
