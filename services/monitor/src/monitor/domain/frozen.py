"""Feeds that tell the same value over and over."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from cbi_common.timeseries.dataset import Floats, Ints
from monitor.domain.finding import Finding
from monitor.domain.market_view import MarketView
from monitor.domain.rules import FrozenRules


def unchanged(values: Floats) -> Ints:
    """Return for each row how many sessions running a value has not changed up to it; a missing value is no change.

    >>> unchanged(np.array([1.0, 1.0, np.nan, 2.0, 2.0])).tolist()
    [0, 1, 2, 0, 1]
    """
    rows = np.arange(len(values))
    known = np.flatnonzero(~np.isnan(values))
    news = known[np.flatnonzero(np.diff(values[known], prepend=np.inf) != 0)]
    told = np.zeros(len(values), dtype=np.int64)
    told[news] = news
    since: Ints = rows - np.maximum.accumulate(told)
    return since


def find_frozen(view: MarketView, names: Collection[str], rules: FrozenRules) -> list[Finding]:
    """Return the series that have stood still for longer than they ever did in the reference, as of the last row.

    A peg, or the holidays of another country, make a feed stand still for days: what is usual for a series is no
    finding. Its usual pauses are those that ended before the present one began.

    Parameters
    ----------
    view : MarketView
    names : series to judge
        Those observed every session.
    rules : FrozenRules
    """
    found = []
    for name in names:
        pauses = unchanged(view.series[name][-rules.reference_sessions :])
        now = int(pauses[-1])
        usual = int(pauses[: len(pauses) - now].max(initial=0))
        if now < max(rules.equal, usual + 1) or now >= len(pauses) - 1:
            continue
        value = view.series[name][len(view.sessions) - 1 - now]
        found.append(
            Finding(
                condition=f"frozen/{name}",
                where=name,
                what=f"{name} has stood at {value:g} for {now} sessions; its longest pause before was {usual}",
                hint="look at the feed; forecasts that read this series are not to be trusted",
                since=view.day(len(view.sessions) - 1 - now + rules.equal),
                evidence={"sessions": now, "longest_before": usual, "value": float(value)},
            )
        )
    return found
