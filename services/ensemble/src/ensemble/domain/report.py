"""What is said about one horizon: the live forecast, and how well it was served so far."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from cbi_common.core.horizon import Horizon
from cbi_common.core.regime import Regime
from cbi_common.events.forecast import HorizonForecast, VolatilityScore
from cbi_common.events.training import Metrics
from cbi_common.timeseries.bands import LEVELS
from cbi_common.timeseries.calendar import session_date
from cbi_common.timeseries.dataset import Dataset, Floats
from cbi_common.timeseries.losses import coverage, naive_mae, qlike, volatility_mae, winkler
from cbi_common.timeseries.scoring import score
from cbi_common.timeseries.volatility import realised_variance
from ensemble.domain.serve import NO_CHANGE, Served
from ensemble.domain.signal import signal

COMBINER = "inverse_error"
LEAST_CUTOFFS = 12
"""Cutoffs whose targets lie in one calendar year, below which that year's coverage says nothing."""

RECENT_PERIODS = 60
_FEW_WINDOWS = {Horizon.M6, Horizon.M12}


@dataclass(frozen=True)
class Window:
    """Cutoffs that are scored, as session numbers, and the grid they lie on, in sessions."""

    start: int
    end: int
    cutoff_every: int
    refit_sessions: int


def forecast(
    served: Served, panel: Dataset, horizon: Horizon, window: Window, *, regime: Regime, target_date: date
) -> HorizonForecast | str:
    """Return the live forecast of a horizon, or why there is none."""
    if np.isnan(served.sd[-1]):
        return "too few returns for a volatility"
    if np.isnan(served.band.lower[-1]):
        return f"only {served.band.residuals[-1]} matured outcomes: too few for a band"
    current, expected = float(served.price[-1]), float(served.y_hat[-1])
    lower, upper, *quantiles = current * np.exp(
        [served.band.lower[-1], served.band.upper[-1], *served.band.quantiles[-1]]
    )
    weights = dict(zip(served.members, served.weights[-1].tolist(), strict=True))
    return HorizonForecast(
        target_date=target_date,
        target_session=int(served.target_sessions[-1]),
        point=current * float(np.exp(expected)),
        lower_90=lower,
        upper_90=upper,
        quantiles={f"{level:g}": price for level, price in zip(LEVELS, quantiles, strict=True)},
        current=current,
        no_change=current,
        signal=signal(expected, served.outcomes),
        probability_up=float(served.band.probability_up[-1]),
        regime=regime,
        volatility=float(served.sd[-1]),
        combiner=NO_CHANGE if weights[NO_CHANGE] == 1.0 else COMBINER,
        members=weights,
        metrics=metrics(served, panel, horizon, window),
        **_band_scores(served, window),
        note="insufficient independent history" if horizon in _FEW_WINDOWS else "",
    )


def metrics(served: Served, panel: Dataset, horizon: Horizon, window: Window) -> Metrics:
    """Return the score of the forecasts as served, over the scored window."""
    rows = _scored(served, window)
    known = panel.until(window.start)
    return Metrics(
        **asdict(
            score(
                served.sessions[rows],
                served.target_sessions[rows],
                served.price[rows],
                served.y_hat[rows],
                served.y[rows],
                horizon_sessions=horizon.sessions,
                step=window.cutoff_every,
                naive_mae=naive_mae(known.sessions, known.price, horizon.sessions),
            )
        )
    )


def volatility_scores(served: Served, panel: Dataset, horizon: Horizon, window: Window) -> Iterator[VolatilityScore]:
    """Yield the score of the EWMA volatility behind the bands, over the scored window; nothing when nothing matured."""
    realised = realised_variance(panel.sessions, panel.price, horizon.sessions)
    realised = realised[np.searchsorted(panel.sessions, served.sessions)]
    forecasts = served.sd**2
    rows = _scored(served, window) & (realised > 0) & (forecasts > 0)
    if rows.any():
        yield VolatilityScore(
            model_id="ewma",
            horizon=horizon,
            qlike=qlike(forecasts[rows], realised[rows]),
            mae=volatility_mae(forecasts[rows], realised[rows], horizon.sessions),
        )


def _scored(served: Served, window: Window) -> NDArray[np.bool_]:
    inside = (served.sessions >= window.start) & (served.sessions <= window.end)
    return np.asarray(inside & ~np.isnan(served.y))


def _band_scores(served: Served, window: Window) -> dict[str, float | None]:
    rows = _scored(served, window) & ~np.isnan(served.band.lower)
    recent = rows & (served.sessions > window.end - RECENT_PERIODS * window.refit_sessions)
    lower, upper = (served.price * np.exp(end) for end in (served.band.lower, served.band.upper))
    actual = served.price * np.exp(served.y)
    return {
        "coverage_90": _coverage(lower, upper, actual, rows),
        "winkler_90": winkler(lower[rows], upper[rows], actual[rows]) if rows.any() else None,
        "worst_year_coverage": _worst_year(served, lower, upper, actual, rows),
        "coverage_90_last60": _coverage(lower, upper, actual, recent),
    }


def _coverage(lower: Floats, upper: Floats, actual: Floats, rows: NDArray[np.bool_]) -> float | None:
    return coverage(lower[rows], upper[rows], actual[rows]) if rows.any() else None


def _worst_year(served: Served, lower: Floats, upper: Floats, actual: Floats, rows: NDArray[np.bool_]) -> float | None:
    years = np.array([session_date(int(s)).year for s in served.target_sessions])
    found = []
    for year in np.unique(years[rows]):
        part = rows & (years == year)
        if part.sum() >= LEAST_CUTOFFS:
            found.append(coverage(lower[part], upper[part], actual[part]))
    return min(found, default=None)
