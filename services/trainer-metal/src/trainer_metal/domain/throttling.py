"""Whether a machine without a fan has begun to slow down."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

SLOWER = 1.5
"""An epoch that takes this much longer than the usual one tells of throttling."""


def throttled(epochs_s: Sequence[float]) -> bool:
    """Return whether the last epoch took much longer than those before it; the first compiles and is not counted.

    >>> throttled([9.0, 1.0, 1.0, 1.7]), throttled([9.0, 1.0, 1.0, 1.2]), throttled([1.0, 9.0])
    (True, False, False)
    """
    known = epochs_s[1:]
    return len(known) > 2 and known[-1] > SLOWER * median(known[:-1])
