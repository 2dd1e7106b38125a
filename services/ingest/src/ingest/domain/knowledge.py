"""From which session on a refit may use each column: decided from the rows up to then, and for good."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MIN_KNOWN = 126
"""Sessions on which a column must have been known by a refit; with fewer it is noise to a model."""


class Knowledge:
    """What was known of each column by each session.

    A column is usable once it has been known on `MIN_KNOWN` sessions, has moved, and differs from every column whose
    name comes before its own. Each of the three, once true, stays true: whatever is added later changes nothing before.

    Parameters
    ----------
    sessions : (n,) int64, ascending
    values : name to (n,) float64, NaN where not known
    """

    def __init__(self, sessions: Ints, values: dict[str, Floats]) -> None:
        self._sessions = sessions
        self._names = tuple(values)
        self._values = np.column_stack(list(values.values())) if values else np.empty((len(sessions), 0))
        self._twin, self._differs = _twins(self._names, self._values)

    def usable_from(self) -> dict[str, int]:
        """Return the columns that become usable at all, each with the first session at which a refit may use it."""
        known = np.cumsum(~np.isnan(self._values), axis=0) >= MIN_KNOWN
        usable = known & self._moved()
        for column, differs in enumerate(self._differs):
            usable[:differs, column] = False
        return {
            name: int(self._sessions[np.argmax(usable[:, column])])
            for column, name in enumerate(self._names)
            if usable[:, column].any()
        }

    def reasons(self) -> dict[str, str]:
        """Return why a refit at the last session must do without the columns that it may not use."""
        moved, reasons = self._moved(), {}
        for column, name in enumerate(self._names):
            known = self._values[~np.isnan(self._values[:, column]), column]
            if not len(known):
                reasons[name] = "all_null: never known"
            elif not moved[-1, column]:
                reasons[name] = f"constant: {known[0]:g} on all {len(known)} sessions on which it is known"
            elif len(known) < MIN_KNOWN:
                reasons[name] = f"known on {len(known)} sessions, {MIN_KNOWN} are needed"
            elif self._twin[column] != column:
                reasons[name] = f"identical_columns: equal to {self._names[self._twin[column]]} throughout"
        return reasons

    def _moved(self) -> NDArray[np.bool_]:
        moved: NDArray[np.bool_] = np.fmax.accumulate(self._values, axis=0) > np.fmin.accumulate(self._values, axis=0)
        return moved


def empty_columns(values: dict[str, Floats]) -> list[str]:
    """Return the columns that are known nowhere."""
    return [name for name, column in values.items() if np.isnan(column).all()]


def _twins(names: tuple[str, ...], values: Floats) -> tuple[Ints, Ints]:
    """For each column the first one it equals throughout, or itself, and the row by which it differs from all before.

    "Before" is by name. Columns are parted at each row at which one differs from the leader of its group, the column of
    the lowest name in it; the row at which a column first leads is where it differs from every column before it.
    """
    rows, columns = values.shape
    order = np.argsort(np.array(names, dtype=object))
    # One bit pattern per number: NaN has many, zero two.
    bits = np.ascontiguousarray(np.where(np.isnan(values), np.nan, values + 0.0)[:, order]).view(np.int64)
    seen: dict[bytes, int] = {}
    twin = np.array([seen.setdefault(bits[:, c].tobytes(), c) for c in range(columns)], dtype=np.int64)
    parted = np.full(columns, rows, dtype=np.int64)
    parted[:1] = 0
    active = np.flatnonzero(twin == np.arange(columns))
    group = np.zeros(len(active), dtype=np.int64)
    row = -1
    while len(active) > 1:
        _, leads, member = np.unique(group, return_index=True, return_inverse=True)
        differs = (bits[row + 1 :, active] != bits[row + 1 :, active[leads][member]]).any(axis=1)
        if not differs.any():
            break
        row += 1 + int(np.argmax(differs))
        by_value = np.lexsort((active, bits[row, active], group))
        value, old = bits[row, active[by_value]], group[by_value]
        starts = np.append(True, (value[1:] != value[:-1]) | (old[1:] != old[:-1]))
        leaders = active[by_value[starts]]
        parted[leaders] = np.minimum(parted[leaders], row)
        ids = np.cumsum(starts) - 1
        together = (np.bincount(ids) > 1)[ids]
        active, group = active[by_value[together]], ids[together]
    twins, from_row = np.zeros(columns, dtype=np.int64), np.zeros(columns, dtype=np.int64)
    twins[order], from_row[order] = order[twin], parted
    return twins, from_row
