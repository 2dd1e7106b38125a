"""From what each member makes of its inputs to what moves the forecast, in the unit of the price."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cbi_common.events.explanation import HorizonExplanation
from cbi_common.timeseries import attribution
from cbi_common.timeseries.dataset import Floats

EXPECTATION = "expectation"
"""What a model expects before it looks at the day's drivers."""

PRICE_HISTORY = "price_history"
"""All of a statistical model: it looks at nothing but the price."""

UNGROUPED = "ungrouped"
"""Features that the market file gives no driver group."""

Source = tuple[str, str]
"""Driver group and feature; a share that belongs to no feature repeats the group's name."""


@dataclass(frozen=True)
class Member:
    """One member's part in the forecast: its weight, and the log return that each source contributes to it."""

    weight: float
    contributions: Mapping[Source, float]


def whole(group: str, log_return: float) -> dict[Source, float]:
    """Return contributions that stay in one piece."""
    return {(group, group): log_return}


def by_group(groups: Sequence[str], contributions: Floats, expected: float) -> dict[Source, float]:
    """Return contributions of whole groups (k,), and the model's own expectation beside them."""
    shares = {(group, group): float(c) for group, c in zip(groups, contributions, strict=True)}
    return {(EXPECTATION, EXPECTATION): expected, **shares}


def by_feature(
    names: Sequence[str], contributions: Floats, expected: float, group_of: Mapping[str, str]
) -> dict[Source, float]:
    """Return contributions per feature, and the model's own expectation beside them.

    Parameters
    ----------
    names : p feature names
    contributions : (p,) float64
        Log returns.
    expected : float
        The model's mean prediction, a log return.
    group_of : mapping of feature name to driver group
    """
    shares = {(group_of.get(n, UNGROUPED), n): float(c) for n, c in zip(names, contributions, strict=True)}
    return {(EXPECTATION, EXPECTATION): expected, **shares}


def explain(members: Sequence[Member], *, current: float, forecast: float) -> HorizonExplanation:
    """Return the shares of a blended forecast's difference to no-change.

    Parameters
    ----------
    members : sequence of Member
        What their weights miss of 1 is no-change's, which contributes nothing.
    current, forecast : float
        Price at the cutoff and forecast, in one unit.

    Returns
    -------
    HorizonExplanation
        ``sum(groups) + residual == forecast - baseline``; the residual is what the contributions miss.
    """
    sources = sorted({source for member in members for source in member.contributions})
    rows = [[member.contributions.get(source, 0.0) for source in sources] for member in members]
    weights = np.array([member.weight for member in members])
    combined = attribution.combine(weights, np.array(rows).reshape(len(members), len(sources)))
    shares = attribution.in_price(combined, current, forecast)
    groups: dict[str, float] = {}
    drivers: dict[str, float] = {}
    for (group, name), share in zip(sources, shares.tolist(), strict=True):
        groups[group] = groups.get(group, 0.0) + share
        if name != group:
            drivers[name] = drivers.get(name, 0.0) + share
    return HorizonExplanation(
        baseline=current,
        forecast=forecast,
        groups=largest_first(groups),
        drivers=largest_first(drivers),
        residual=forecast - current - sum(groups.values()),
    )


def largest_first(shares: Mapping[str, float]) -> dict[str, float]:
    """Return the shares by descending size, equal ones by name."""
    return dict(sorted(shares.items(), key=lambda item: (-abs(item[1]), item[0])))
