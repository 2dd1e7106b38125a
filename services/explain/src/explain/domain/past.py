"""What the forecasts of past cutoffs were made of, and what that says of the drivers.

How much of the forecasts they explain, whether each pushes as its economics say, and how much each matters.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from cbi_common.timeseries.dataset import Floats
from explain.domain.attribution import EXPECTATION, PRICE_HISTORY, UNGROUPED, Source
from explain.domain.ranks import rank_correlation

WHOLE_NETS = "nets"
"""Of past cutoffs a net's forecast is not split: that takes hundreds of passes through it for every one of them."""

UNNAMED = frozenset({"technical", PRICE_HISTORY, EXPECTATION, UNGROUPED, WHOLE_NETS})
"""Groups that name no driver (DOMAIN section 7)."""

LEAST_CUTOFFS = 10


@dataclass(frozen=True)
class Past:
    """Attributions of the served forecasts at n cutoffs, ascending.

    Attributes
    ----------
    moves : (n,) float64
        Forecast log returns as served.
    sources : k
    contributions : (n, k) float64
        Log return that each source contributed, the blend's weights at the cutoff applied.
    """

    moves: Floats
    sources: tuple[Source, ...]
    contributions: Floats

    def of_groups(self) -> dict[str, Floats]:
        """Return group to what it contributed at each cutoff."""
        found: dict[str, Floats] = {}
        for (group, _), column in zip(self.sources, self.contributions.T, strict=True):
            found[group] = found.get(group, np.zeros(len(self.moves))) + column
        return found

    def of_feature(self, name: str) -> Floats | None:
        """Return what a feature contributed at each cutoff, None when no member that is split looks at it."""
        columns = [i for i, (group, feature) in enumerate(self.sources) if feature == name != group]
        return self.contributions[:, columns].sum(axis=1) if columns else None


def driver_coverage(past: Past) -> float | None:
    """Return the share of the forecasts' variance that named drivers account for.

    The plan's "SHAP coverage": the covariance of the named groups' sum with the forecast move over the variance of the
    move. None below `LEAST_CUTOFFS`, or when the forecast never moved.
    """
    if len(past.moves) < LEAST_CUTOFFS or not np.ptp(past.moves) > 0:
        return None
    named = sum((c for group, c in past.of_groups().items() if group not in UNNAMED), np.zeros(len(past.moves)))
    return float(np.cov(named, past.moves, ddof=1)[0, 1] / past.moves.var(ddof=1))


def importance(past: Past) -> dict[str, float]:
    """Return each group's share of all that moved the forecasts, largest first; the shares sum to 1."""
    sizes = {group: float(np.abs(c).mean()) for group, c in past.of_groups().items()} if len(past.moves) else {}
    total = sum(sizes.values())
    shares = {group: size / total for group, size in sizes.items()} if total > 0 else {}
    return dict(sorted(shares.items(), key=lambda item: (-item[1], item[0])))


@dataclass(frozen=True)
class SignFound:
    """How a driver pushed the forecasts.

    Attributes
    ----------
    feature : the driver's feature
    correlation : float or None
        Rank correlation of its value with what it contributed; None where it contributed nothing.
    n : cutoffs at which it contributed
    """

    feature: str
    correlation: float | None
    n: int


def signs(past: Past, values: Mapping[str, Floats], features: Collection[str]) -> list[SignFound]:
    """Return how each feature pushed.

    Parameters
    ----------
    past : Past
    values : feature to its (n,) values at the cutoffs, NaN where unknown
    features : those to look at
    """
    return [_sign(past, name, values.get(name)) for name in features]


def _sign(past: Past, name: str, values: Floats | None) -> SignFound:
    pushed = past.of_feature(name)
    if pushed is None or values is None:
        return SignFound(name, None, 0)
    heard = (pushed != 0) & np.isfinite(values)
    n = int(heard.sum())
    return SignFound(name, None if n < LEAST_CUTOFFS else rank_correlation(values[heard], pushed[heard]), n)
