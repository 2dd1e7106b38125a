"""Whether forecasts rest on the drivers that they used to rest on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cbi_common.timeseries.dataset import Floats
from explain.domain.past import Past
from explain.domain.ranks import rank_correlation

RECENT = 13
"""Cutoffs of the window that is looked at: a year, at one in four weeks."""

LEAST_BEFORE = 26
"""Cutoffs that it is compared with at least: two years."""

UNLIKE = 0.5
"""Rank correlation below which an order of importance is another one, however restless it has always been."""


@dataclass(frozen=True)
class Shift:
    """How alike the groups' importance is to what it was.

    Attributes
    ----------
    correlation : float
        Rank correlation of the groups' importance in the last `RECENT` cutoffs with that in all cutoffs before them.
    lowest : float or None
        The lowest that it had been before, at every cutoff whose window holds none of the last `RECENT`; None where
        there are too few.
    recent : group to its share in the last `RECENT` cutoffs, largest first
    """

    correlation: float
    lowest: float | None
    recent: dict[str, float]

    @property
    def drifted(self) -> bool:
        """Whether the order is unlike the one before, and more so than it ever was."""
        return self.lowest is not None and self.correlation < min(self.lowest, UNLIKE)


def shift(past: Past) -> Shift | None:
    """Compare the newest cutoffs with those before; None where there are too few, or fewer than three groups.

    Parameters
    ----------
    past : Past
        The cutoffs are evenly spaced, so that a window of them is a stretch of time.
    """
    groups = past.of_groups()
    sizes = np.abs(np.column_stack(list(groups.values()))) if groups else np.empty((0, 0))
    n = len(sizes)
    if len(groups) < 3 or n < LEAST_BEFORE + RECENT:
        return None
    now = _alike(sizes, n)
    if now is None:
        return None
    ends = range(LEAST_BEFORE + RECENT, n - RECENT + 1)
    earlier = [alike for end in ends if (alike := _alike(sizes, end)) is not None]
    recent = sizes[n - RECENT :].mean(axis=0)
    shares = sorted(zip(groups, (recent / recent.sum()).tolist(), strict=True), key=lambda item: (-item[1], item[0]))
    return Shift(now, min(earlier, default=None), dict(shares))


def _alike(sizes: Floats, end: int) -> float | None:
    """Rank correlation of the last `RECENT` rows before ``end`` with all rows before those."""
    return rank_correlation(sizes[end - RECENT : end].mean(axis=0), sizes[: end - RECENT].mean(axis=0))
