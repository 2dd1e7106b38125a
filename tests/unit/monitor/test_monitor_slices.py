import numpy as np
import pytest

from monitor.domain.rows import Rows
from monitor.domain.slices import MOVES, by_label, move_sizes, overall


def rows(n=60, seed=0) -> Rows:
    rng = np.random.default_rng(seed)
    sessions = np.arange(0, 5 * n, 5)
    price, y = rng.uniform(40, 60, n), rng.normal(0, 0.05, n)
    y_hat = 0.5 * y + rng.normal(0, 0.01, n)
    lower, upper = price * np.exp(y_hat - 0.04), price * np.exp(y_hat + 0.04)
    lower[:10] = upper[:10] = np.nan
    return Rows(sessions, sessions + 5, price, y_hat, y, lower, upper)


def test_scores_of_all_rows_against_a_naive_loop():
    r = rows()
    found = overall(r, horizon=5, step=5)
    errors, unchanged, inside = [], [], []
    for i in range(len(r.y)):
        actual, forecast = r.price[i] * np.exp(r.y[i]), r.price[i] * np.exp(r.y_hat[i])
        errors.append(abs(forecast - actual))
        unchanged.append(abs(r.price[i] - actual))
        if not np.isnan(r.lower[i]):
            inside.append(r.lower[i] <= actual <= r.upper[i])
    assert found.metrics.mae == pytest.approx(np.mean(errors))
    assert found.metrics.skill == pytest.approx(1 - np.mean(errors) / np.mean(unchanged))
    assert found.metrics.dm_p < 0.05
    assert found.coverage_90 == pytest.approx(np.mean(inside))
    assert len(inside) == 50


def test_labels_split_the_rows_in_the_given_order():
    r = rows()
    labels = ["bull"] * 20 + ["crisis"] * 30 + [None] * 10
    found = by_label(r, "regime", labels, ["crisis", "bull", "bear"], horizon=5, step=5)
    assert [(s.value, s.metrics.n) for s in found] == [("crisis", 30), ("bull", 20)]
    assert all(s.metrics.dm_p is None for s in found)
    crisis = overall(r.where(np.arange(60) // 10 % 5 >= 2), horizon=5, step=5)
    assert crisis.metrics.n == 30
    assert found[0].metrics.mae == crisis.metrics.mae


def test_one_row_has_no_scores_but_is_counted():
    found = by_label(rows(), "move", ["<2%"] + [None] * 59, MOVES, horizon=5, step=5)
    assert (found[0].metrics.n, found[0].metrics.mae, found[0].coverage_90) == (1, None, None)


def test_sizes_of_moves():
    y = np.log([1.0, 1.0199, 0.9801, 1.03, 0.951, 1.06, 0.91, 1.2, 0.5])
    assert move_sizes(y) == ["<2%"] * 3 + ["2-5%"] * 2 + ["5-10%"] * 2 + [">10%"] * 2


def test_moves_by_year_add_up():
    r = rows(200, seed=3)
    found = by_label(r, "move", move_sizes(r.y), MOVES, horizon=5, step=5)
    assert sum(s.metrics.n for s in found) == 200
    assert sum(s.metrics.n * s.metrics.mae for s in found) == pytest.approx(
        200 * overall(r, horizon=5, step=5).metrics.mae
    )
