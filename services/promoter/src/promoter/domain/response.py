"""Whether a forecast moves the way economics says when one of its drivers is moved over its real range."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cbi_common.timeseries.dataset import Floats

Sign = Literal[-1, 1]

GRID = 9
"""Values from the 5 % to the 95 % quantile of what the feature has been."""

LEVELS = (0.05, 0.95)
FLAT = 1e-9
"""Log return: less is no move."""


@dataclass(frozen=True)
class Response:
    """How the forecast follows one feature.

    Attributes
    ----------
    feature, series : str
    expected : -1 or 1
    rises, falls : float >= 0
        Sums of the steps up and down along the grid, log returns.
    """

    feature: str
    series: str
    expected: Sign
    rises: float
    falls: float

    @property
    def moves(self) -> bool:
        """Whether the forecast heeds the feature at all."""
        return self.rises + self.falls > FLAT

    @property
    def monotone(self) -> bool:
        """Whether no step goes against the expected sign."""
        return (self.falls if self.expected > 0 else self.rises) <= FLAT


def grid(values: Floats) -> Floats | None:
    """Return `GRID` values over the range that a feature has really had, None where it never moved or is not known."""
    known = values[np.isfinite(values)]
    if not len(known):
        return None
    low, high = np.quantile(known, LEVELS)
    return np.linspace(low, high, GRID) if high > low else None


def responses(
    say: Callable[[Mapping[str, float]], float],
    features: Mapping[str, tuple[str, Sign]],
    grids: Mapping[str, Floats],
) -> tuple[Response, ...]:
    """Return how a forecast follows each feature while all others stay as they are.

    Parameters
    ----------
    say : feature values to the forecast log return
    features : feature to its series and the sign that is expected of it
    grids : feature to the values to put in; one without is left out
    """
    found = []
    for feature, (series, expected) in sorted(features.items()):
        if feature not in grids:
            continue
        said = np.array([say({feature: float(value)}) for value in grids[feature]])
        steps = np.diff(said)
        found.append(Response(feature, series, expected, float(steps.clip(0).sum()), float((-steps).clip(0).sum())))
    return tuple(found)
