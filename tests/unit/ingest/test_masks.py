"""Which values of a wide table say nothing: naive loops, and nothing looks ahead."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ingest.domain.masks import frozen, opening_run

VALUES = arrays.arrays(
    np.float64, st.tuples(st.integers(0, 15), st.integers(1, 3)), elements=st.sampled_from([0.0, 1.0, 2.0, np.nan])
)
MASKS = {"opening": opening_run, "frozen": lambda v: frozen(v, np.arange(2, 2 + v.shape[1]))}


def naive_opening(column: np.ndarray) -> list[bool]:
    seen: set[float] = set()
    result = []
    for value in column:
        if np.isnan(value):
            result.append(False)
            continue
        seen.add(float(value))
        result.append(len(seen) == 1)
    return result


def naive_frozen(column: np.ndarray, limit: int) -> list[bool]:
    result, last, repeated = [], np.nan, 0
    for value in column:
        if np.isnan(value):
            result.append(False)
            continue
        repeated = repeated + 1 if value == last else 0
        last = value
        result.append(repeated >= limit)
    return result


@given(VALUES)
def test_the_masks_are_what_a_loop_says(values: np.ndarray) -> None:
    opening, still = MASKS["opening"](values), MASKS["frozen"](values)
    for column in range(values.shape[1]):
        assert opening[:, column].tolist() == naive_opening(values[:, column])
        assert still[:, column].tolist() == naive_frozen(values[:, column], column + 2)


@given(VALUES, st.integers(0, 15))
def test_a_later_row_changes_no_mask_before_it(values: np.ndarray, rows: int) -> None:
    for mask in MASKS.values():
        assert mask(values[:rows]).tolist() == mask(values)[:rows].tolist()


def test_a_quarterly_figure_filled_forward_day_by_day_survives() -> None:
    quarters = np.repeat(np.arange(8.0), [63, 64, 61, 62, 65, 66, 62, 63])[:, None]
    masked = opening_run(quarters) | frozen(quarters, np.array([66]))
    assert masked.ravel().tolist() == [True] * 63 + [False] * (len(quarters) - 63)
    assert frozen(np.repeat([1.0, 2.0], [10, 70])[:, None], np.array([66])).sum() == 4
