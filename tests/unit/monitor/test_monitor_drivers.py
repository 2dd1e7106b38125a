import numpy as np
import pytest

from monitor.domain.drivers import MONTH, QUIET, YEAR, largest_movers, month_in_deviations

N = 600


def walk(seed: int, scale: float = 0.01):
    return 50 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, scale, N)))


def test_the_move_of_a_month_is_measured_against_the_year_before_it() -> None:
    values = walk(1)
    found, daily = month_in_deviations(values), np.diff(np.log(values), prepend=np.log(values[0]))
    for row in (300, 450, N - 1):
        year = daily[row - MONTH - YEAR + 1 : row - MONTH + 1]
        expected = np.log(values[row] / values[row - MONTH]) / np.sqrt(np.mean(year**2) * MONTH)
        assert found[row] == pytest.approx(expected)
    assert np.isnan(found[: MONTH + YEAR - 1]).all()


def test_the_driver_that_moved_most_names_the_row() -> None:
    palm, crude = walk(1), walk(2)
    palm[580:] *= 1.5
    names = largest_movers({"palm": palm, "cl": crude}, ["palm", "cl", "absent"])
    assert set(names[580:600]) == {"palm"}
    assert names[100] is None
    assert {QUIET, "palm", "cl"} <= set(names)
    assert largest_movers({"palm": palm}, ["absent"]) == []


def test_what_comes_later_changes_no_label() -> None:
    palm, crude = walk(1), walk(2)
    later = np.where(np.arange(N) < 500, palm, 7.0)
    series, other = {"palm": palm, "cl": crude}, {"palm": later, "cl": crude}
    assert largest_movers(series, ["palm", "cl"])[:500] == largest_movers(other, ["palm", "cl"])[:500]


def test_a_driver_that_never_moved_is_not_known() -> None:
    assert set(largest_movers({"palm": np.full(N, 3.0)}, ["palm"])) == {None}
