"""Spells: how long the market has been in a state without leaving it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cbi_common.timeseries.dataset import Ints


class Spell(NamedTuple):
    """Rows ``[start, end)`` of one state."""

    state: int
    start: int
    end: int


def spells(states: Ints) -> list[Spell]:
    """Return the spells in the order of time.

    >>> spells(np.array([3, 3, 0, 3]))
    [Spell(state=3, start=0, end=2), Spell(state=0, start=2, end=3), Spell(state=3, start=3, end=4)]
    """
    starts = [0, *(np.flatnonzero(np.diff(states)) + 1).tolist()][: len(states)]
    ends = [*starts[1:], len(states)][: len(states)]
    return [Spell(int(states[a]), a, b) for a, b in zip(starts, ends, strict=True)]
