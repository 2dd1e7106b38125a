"""A forecast that follows a driver the right way over its real range is monotone; one wrong step is enough to fail."""

from __future__ import annotations

import numpy as np
import pytest

from promoter.domain.response import GRID, grid, responses

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
