"""How good the forecasts have been, and the rows that this is computed from."""

from __future__ import annotations

import math
from datetime import date

from cbi_common.core.errors import IncompleteError
from cbi_common.core.horizon import Horizon
from cbi_common.events.base import Contract
from cbi_common.events.monitoring import Slice
from cbi_common.reporting.projection import Runs
from dashboard.domain import development, view
from dashboard.domain.answers import Origin
from dashboard.domain.development import AlertAnswer, Source
from dashboard.domain.track import Tracks


class Scores(Contract):
    """Scores of the forecasts of one horizon."""

    horizon: Horizon
    source: Source
    slices: tuple[Slice, ...]


class PerformanceAnswer(Contract):
    """Matured forecasts against what happened, next to no-change on the same rows."""

    origin: Origin
    scores: tuple[Scores, ...]
    """As they would have been served at past dates, and, where some have matured, as they were published."""
    failing: tuple[AlertAnswer, ...]
    """Open conditions that concern the forecasts' errors."""


class TrackRow(Contract):
    """A forecast and what came of it."""

    cutoff: date
    target_date: date
    price: float
    forecast: float
    lower_90: float | None
    upper_90: float | None
    actual: float | None
    """None: the day has not come."""


class TrackAnswer(Contract):
    """Every forecast of a horizon as it would have been served at past dates, oldest first."""

    origin: Origin
    horizon: Horizon
    rows: tuple[TrackRow, ...]


def performance(runs: Runs, today: date) -> PerformanceAnswer:
    """Return how good the forecasts have been.

    Raises
    ------
    IncompleteError
        When nothing has been scored yet.
    """
    served = development.validation(runs, "walk_forward", today)
    run = runs.get(served.origin.request_id)
    assert run is not None
    sources: tuple[Source, ...] = ("walk_forward", "issued")
    return PerformanceAnswer(
        origin=served.origin,
        scores=tuple(
            Scores(horizon=h, source=source, slices=run.validations[source].data.horizons[h])
            for source in sources
            if source in run.validations
            for h in Horizon
            if h in run.validations[source].data.horizons
        ),
        failing=tuple(alert for alert in development.monitoring(runs).open if "performance" in alert.source),
    )


def track(runs: Runs, horizon: Horizon, tracks: Tracks, today: date) -> TrackAnswer:
    """Return the rows of one horizon.

    Raises
    ------
    IncompleteError
        When there is no forecast of it.
    """
    run = view.forecast_run(runs)
    assert run.forecast is not None
    found = tracks.get(horizon)
    if found is None:
        raise IncompleteError("no track record", where=str(horizon), hint="see /api/predictions for the reason")
    columns = (found.cutoffs, found.targets, found.price, found.forecast, found.lower, found.upper, found.actual)
    return TrackAnswer(
        origin=view.origin_of(runs, run, run.forecast, today),
        horizon=horizon,
        rows=tuple(
            TrackRow(
                cutoff=cutoff, target_date=target, price=price, forecast=forecast, lower_90=_known(lower),
                upper_90=_known(upper), actual=_known(actual),
            )
            for cutoff, target, price, forecast, lower, upper, actual in zip(*columns, strict=True)
        ),
    )  # fmt: skip


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
