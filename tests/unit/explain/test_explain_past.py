"""What past forecasts were made of says how much drivers explain, how each pushes, and how much each matters."""

from __future__ import annotations

import numpy as np
import pytest

from explain.domain.attribution import EXPECTATION, PRICE_HISTORY
from explain.domain.past import LEAST_CUTOFFS, WHOLE_NETS, Past, driver_coverage, importance, signs

N = 200
RNG = np.random.default_rng(8)
PALM, DOLLAR, OWN = RNG.normal(size=(3, N))


def past(n: int = N, **columns: np.ndarray) -> Past:
    """Attributions whose sum is the move; a group's feature is called like it with an ending."""
    sources = tuple(
        (group, group if group in (PRICE_HISTORY, WHOLE_NETS, EXPECTATION) else f"{group}_x") for group in columns
    )
    table = np.column_stack(list(columns.values()))[:n]
    return Past(table.sum(axis=1), sources, table)


def test_named_drivers_that_are_all_of_the_forecast_explain_all_of_it() -> None:
    assert driver_coverage(past(palm=PALM, dollar=DOLLAR)) == pytest.approx(1.0)


@pytest.mark.parametrize("group", [PRICE_HISTORY, WHOLE_NETS, EXPECTATION, "technical", "ungrouped"])
def test_what_names_no_driver_explains_nothing(group: str) -> None:
    found = past(palm=PALM, **{group: OWN})
    assert driver_coverage(found) == pytest.approx(np.cov(PALM, PALM + OWN)[0, 1] / np.var(PALM + OWN, ddof=1))
    assert driver_coverage(past(**{group: OWN})) == 0.0


def test_a_constant_expectation_takes_nothing_from_the_drivers() -> None:
    assert driver_coverage(past(palm=PALM, expectation=np.full(N, 0.3))) == pytest.approx(1.0)


def test_too_few_cutoffs_or_no_move_at_all_say_nothing() -> None:
    assert driver_coverage(past(LEAST_CUTOFFS - 1, palm=PALM)) is None
    assert driver_coverage(past(palm=np.zeros(N))) is None


def test_importance_is_a_share_of_all_that_moved() -> None:
    found = importance(past(palm=3 * np.abs(PALM), dollar=-np.abs(PALM)))
    assert list(found) == ["palm", "dollar"]
    assert found == pytest.approx({"palm": 0.75, "dollar": 0.25})
    assert importance(past(0, palm=PALM)) == {}


def test_a_driver_pushes_up_or_down_or_says_nothing() -> None:
    found = past(palm=0.1 * PALM**3, dollar=-DOLLAR)
    values = {"palm_x": PALM, "dollar_x": DOLLAR, "china_x": OWN}
    up, down, silent, absent = signs(found, values, ["palm_x", "dollar_x", "china_x", "gone_x"])
    assert (up.correlation, down.correlation) == (pytest.approx(1.0), pytest.approx(-1.0))
    assert (silent.correlation, silent.n) == (absent.correlation, absent.n) == (None, 0)


def test_cutoffs_at_which_a_driver_said_nothing_do_not_count() -> None:
    pushed = np.where(np.arange(N) < 30, PALM, 0.0)
    known = np.where(np.arange(N) < 20, PALM, np.nan)
    (found,) = signs(past(palm=pushed), {"palm_x": known}, ["palm_x"])
    assert (found.n, found.correlation) == (20, pytest.approx(1.0))
    (few,) = signs(past(palm=pushed), {"palm_x": np.where(np.arange(N) < 9, PALM, np.nan)}, ["palm_x"])
    assert (few.n, few.correlation) == (9, None)
