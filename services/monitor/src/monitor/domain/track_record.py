"""Forecasts that were really issued, and which of them have matured."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from cbi_common.core.horizon import Horizon
from cbi_common.events.base import Contract
from cbi_common.events.forecast import ForecastReady
from cbi_common.timeseries.dataset import Floats, Ints
from monitor.domain.rows import Rows

_SAME_PRICE = 1e-9


class IssuedForecast(Contract):
    """One horizon of an issue; prices in the market's unit."""

    target_session: int
    current: float
    point: float
    lower_90: float
    upper_90: float


class Issue(Contract):
    """What was published as of a date: the first forecast counts, a later revision never replaces it."""

    run_id: str
    forecasts: dict[Horizon, IssuedForecast]


def issue_of(forecast: ForecastReady) -> Issue:
    """Return what of a published forecast is needed to score it one day."""
    fields = tuple(IssuedForecast.model_fields)
    return Issue(
        run_id=forecast.run_id,
        forecasts={
            horizon: IssuedForecast(**{name: getattr(found, name) for name in fields})
            for horizon, found in forecast.forecasts.items()
        },
    )


def matured(issues: Iterable[Issue], horizon: Horizon, sessions: Ints, price: Floats) -> Rows:
    """Return the issued forecasts of one horizon whose outcome is in the data.

    An issue counts only when its price at the cutoff is the data's price there: one made from another series (another
    simulation, a revised table) cannot be judged by this one.

    Parameters
    ----------
    issues : iterable of Issue, ascending by date
    horizon : Horizon
    sessions : (n,) int64, ascending
    price : (n,) float64
        Prices known at this run's as_of.
    """
    at = dict(zip(sessions.tolist(), price.tolist(), strict=True))
    found = []
    for issued in (issue.forecasts[horizon] for issue in issues if horizon in issue.forecasts):
        cutoff = issued.target_session - horizon.sessions
        current, outcome = at.get(cutoff), at.get(issued.target_session)
        if current is None or outcome is None or abs(current / issued.current - 1.0) > _SAME_PRICE:
            continue
        change, actual = np.log(issued.point / current), np.log(outcome / current)
        found.append((cutoff, issued.target_session, current, change, actual, issued.lower_90, issued.upper_90))
    columns = np.array(sorted(found), dtype=np.float64).reshape(-1, 7).T
    cutoffs, targets, *rest = columns
    return Rows(cutoffs.astype(np.int64), targets.astype(np.int64), *rest)
