"""A forecast that follows a driver the right way over its real range is monotone; one wrong step is enough to fail."""

from __future__ import annotations

import numpy as np
import pytest

from promoter.domain.response import GRID, Response, grid, responses

VALUES = np.linspace(-1, 1, 201)
FEATURES = {"up": ("cl", 1), "down": ("dxy", -1)}


def test_the_grid_lies_within_the_real_range() -> None:
    found = grid(np.append(VALUES, np.nan))
    assert found is not None
    assert len(found) == GRID
    assert (found[0], found[-1]) == (pytest.approx(-0.9), pytest.approx(0.9))


@pytest.mark.parametrize("values", [np.full(10, 3.0), np.array([np.nan]), np.array([])])
def test_what_never_moved_has_no_grid(values: np.ndarray) -> None:
    assert grid(values) is None


def test_responses_are_judged_by_the_expected_sign() -> None:
    grids = dict.fromkeys(FEATURES, grid(VALUES))
    up, down = (
        {r.feature: r for r in responses(lambda c: 0.01 * sum(c.values()), FEATURES, grids)}[name]
        for name in ("up", "down")
    )
    assert (up.moves, up.monotone) == (True, True)
    assert (down.moves, down.monotone) == (True, False)
    assert up.rises == pytest.approx(0.018)


def test_a_dent_on_the_way_up_is_not_monotone_and_no_move_is_no_response() -> None:
    (dented,) = responses(lambda c: np.sin(4 * c["up"]), {"up": ("cl", 1)}, {"up": grid(VALUES)})
    assert not dented.monotone
    (flat,) = responses(lambda c: 0.5, {"up": ("cl", 1)}, {"up": grid(VALUES)})
    assert not flat.moves


def test_a_feature_without_a_grid_is_left_out() -> None:
    assert responses(lambda c: 0.0, FEATURES, {}) == ()


def test_the_grid_is_even_between_the_quantiles() -> None:
    values = np.concatenate([np.zeros(10), np.linspace(1, 2, 80), np.full(10, 100.0)])
    found = grid(values)
    assert found is not None
    low, high = np.quantile(values, 0.05), np.quantile(values, 0.95)
    np.testing.assert_allclose(found, [low + i * (high - low) / (GRID - 1) for i in range(GRID)])


def test_steps_up_and_down_are_summed_apart() -> None:
    """A zigzag whose every step is told: what rises and what falls does not cancel."""
    steps = {float(value): said for value, said in zip(range(4), (0.0, 0.3, 0.1, 0.5), strict=True)}
    (found,) = responses(lambda c: steps[c["x"]], {"x": ("cl", -1)}, {"x": np.arange(4.0)})
    assert (found.feature, found.series, found.expected) == ("x", "cl", -1)
    assert (found.rises, found.falls) == (pytest.approx(0.7), pytest.approx(0.2))


def test_features_are_told_in_the_order_of_their_names_and_a_missing_grid_hides_no_other() -> None:
    features = {"z": ("cl", 1), "a": ("cl", 1), "m": ("dxy", -1)}
    found = responses(lambda c: 0.0, features, {"z": np.arange(2.0), "m": np.arange(2.0)})
    assert [r.feature for r in found] == ["m", "z"]


@pytest.mark.parametrize(("expected", "rises", "falls", "monotone"), [
    (1, 0.1, 1e-9, True), (1, 0.1, 2e-9, False), (-1, 1e-9, 0.1, True), (-1, 2e-9, 0.1, False),
])  # fmt: skip
def test_less_than_a_billionth_is_no_step(expected: int, rises: float, falls: float, monotone: bool) -> None:
    assert Response("x", "cl", expected, rises, falls).monotone == monotone


def test_what_a_billionth_moves_is_not_heeded() -> None:
    assert not Response("x", "cl", 1, 0.5e-9, 0.5e-9).moves
    assert Response("x", "cl", 1, 0.5e-9, 0.6e-9).moves
