"""Series that move as one, against numpy's correlation; and what comes later masks nothing before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ingest.domain.twins import ALIKE, WINDOW, moving_alike

Floats = NDArray[np.float64]


def moves(n: int = 200, seed: int = 0) -> Floats:
    first, noise, second = np.random.default_rng(seed).normal(0, 0.01, (3, n))
    near = 0.99 * first + 0.3 * noise * (np.arange(n) < 120)
    return np.column_stack([first, near, second])


def by_hand(x: Floats, y: Floats, end: int) -> bool:
    a, b = x[max(0, end - WINDOW + 1) : end + 1], y[max(0, end - WINDOW + 1) : end + 1]
    known = np.isfinite(a) & np.isfinite(b)
    if 3 * known.sum() < 2 * WINDOW:
        return False
    return bool(abs(np.corrcoef(a[known], b[known])[0, 1]) > ALIKE)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_alike_is_the_correlation_of_the_last_moves(seed: int) -> None:
    x = moves(seed=seed)
    x[np.random.default_rng(seed).random(x.shape) < 0.1] = np.nan
    alike = moving_alike(x)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert [bool(v) for v in alike[:, i, j]] == [by_hand(x[:, i], x[:, j], end) for end in range(len(x))]
    assert alike[-1, 0, 1]
    assert not alike[100, 0, 1]
    assert not alike[:, 0, 2].any()


def test_the_other_sign_is_alike_too_and_standing_still_is_not() -> None:
    x = moves()
    assert moving_alike(np.column_stack([x[:, 0], -x[:, 0]]))[-1, 0, 1]
    assert not moving_alike(np.zeros((100, 2))).any()


def test_what_comes_later_changes_nothing_before() -> None:
    x = moves()
    whole: Any = moving_alike(x)
    for cut in (60, 121, 170):
        assert np.array_equal(moving_alike(x[:cut]), whole[:cut])
    spoilt = x.copy()
    spoilt[150:] = np.random.default_rng(5).normal(0, 3, (50, 3))
    assert np.array_equal(moving_alike(spoilt)[:150], whole[:150])
