"""Rates of matured forecasts that ought to be what they are said to be: direction, coverage, errors in a regime.

Each counts outcomes that do not overlap, so that the binomial distribution and Student's t hold as they stand.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

import numpy as np

from cbi_common.core.horizon import Horizon
from cbi_common.core.regime import Regime
from cbi_common.timeseries.calendar import session_date
from cbi_common.timeseries.significance import upper_tail_t
from monitor.domain.chances import at_most, two_sided
from monitor.domain.finding import Finding
from monitor.domain.rows import Rows
from monitor.domain.rules import CoverageRules, DirectionRules, RegimeFailureRules


def find_wrong_direction(rows: Rows, horizon: Horizon, rules: DirectionRules) -> list[Finding]:
    """Return a finding when forecasts that took a side were wrong more often than a coin would be.

    Parameters
    ----------
    rows : Rows
        Matured forecasts as served, ascending.
    horizon : Horizon
    rules : DirectionRules
    """
    taken = rows.where((np.abs(rows.y_hat) >= rules.least_move) & (rows.y != 0))
    last = _newest(taken.independent(horizon.sessions), rules.outcomes)
    n, hits = len(last.y), int((np.sign(last.y_hat) == np.sign(last.y)).sum())
    p = at_most(hits, n, 0.5) if n >= rules.least else 1.0
    if p > rules.alpha:
        return []
    return [
        Finding(
            condition=f"direction/{horizon}",
            kind="performance",
            where=f"horizon {horizon}",
            what=f"{horizon}: the direction was right in {hits} of the last {n} forecasts that took a side (p {p:.1g})",
            hint="do not act on the signal of this horizon alone",
            since=session_date(int(last.target_sessions[-1])),
            evidence={"hits": hits, "n": n, "p": p},
            horizon=horizon,
        )
    ]


def find_wrong_coverage(rows: Rows, horizon: Horizon, rules: CoverageRules) -> list[Finding]:
    """Return a finding when the bands held significantly fewer or more outcomes than their nominal share.

    Parameters
    ----------
    rows : Rows
        Matured forecasts as served, ascending.
    horizon : Horizon
    rules : CoverageRules
    """
    banded = rows.where(~(np.isnan(rows.lower) | np.isnan(rows.upper)))
    last = _newest(banded.independent(horizon.sessions), rules.outcomes)
    n, hits = len(last.y), int(last.inside().sum())
    p = two_sided(hits, n, rules.nominal) if n >= rules.least else 1.0
    if p > rules.alpha:
        return []
    narrow = hits < rules.nominal * n
    return [
        Finding(
            condition=f"coverage/{horizon}",
            kind="performance",
            where=f"horizon {horizon}",
            what=f"{horizon}: the {rules.nominal:.0%} band held {hits} of the last {n} outcomes (p {p:.1g})",
            hint="take the band for too narrow: buy earlier or less at a time" if narrow else "the band is too wide",
            since=session_date(int(last.target_sessions[-1])),
            evidence={"hits": hits, "n": n, "p": p, "nominal": rules.nominal},
            horizon=horizon,
        )
    ]


def find_failing_regimes(
    rows: Rows, regimes: Mapping[int, str], horizon: Horizon, rules: RegimeFailureRules
) -> list[Finding]:
    """Return a finding for each regime in which the forecasts were significantly worse than no-change's.

    Parameters
    ----------
    rows : Rows
        Matured forecasts as served, ascending.
    regimes : session of a cutoff to the regime that was known there
    horizon : Horizon
    rules : RegimeFailureRules
    """
    found = []
    of_row = np.array([regimes.get(int(session), "") for session in rows.sessions])
    for regime in map(str, Regime):
        last = _newest(rows.where(of_row == regime).independent(horizon.sessions), rules.outcomes)
        n = len(last.y)
        if n < rules.least:
            continue
        worse = last.errors() - last.unchanged_errors()
        spread = float(worse.std(ddof=1))
        p = upper_tail_t(float(worse.mean()) * sqrt(n) / spread, n - 1) if spread > 0 else 1.0
        if p > rules.alpha:
            continue
        own, unchanged = float(last.errors().mean()), float(last.unchanged_errors().mean())
        found.append(
            Finding(
                condition=f"regime_failure/{regime} {horizon}",
                kind="performance",
                where=f"regime {regime}, horizon {horizon}",
                what=f"{horizon} in {regime} markets: MAPE {own:.1%} over {n} forecasts, no-change {unchanged:.1%} "
                f"(p {p:.1g})",
                hint=f"while the market is {regime}, go by no-change at {horizon}",
                since=session_date(int(last.target_sessions[-1])),
                evidence={"mape": own, "no_change_mape": unchanged, "n": n, "p": p},
                horizon=horizon,
            )
        )
    return found


def _newest(rows: Rows, count: int) -> Rows:
    return rows.where(np.arange(len(rows.y)) >= len(rows.y) - count)
