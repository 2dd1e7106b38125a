"""A horizon's forecast as an event says it: the live one, and the score of what was served before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from cbi_common.core.horizon import Horizon
from cbi_common.core.regime import Regime
from cbi_common.events.forecast import Combination, HorizonForecast, VolatilityScore
from cbi_common.events.training import Metrics
from cbi_common.timeseries.bands import LEVELS
from cbi_common.timeseries.dataset import Dataset, Floats
from cbi_common.timeseries.losses import naive_mae, qlike, skill, volatility_mae
from cbi_common.timeseries.scoring import Score, score
from cbi_common.timeseries.significance import diebold_mariano, n_effective
from ensemble.domain.band_report import band_report
from ensemble.domain.serve import EWMA, HorizonServed
from ensemble.domain.signal import signal

SERVED_VOLATILITY = "served"
_HAR = "har"
_FEW_WINDOWS = {Horizon.M6, Horizon.M12}


@dataclass(frozen=True)
class Window:
    """Cutoffs that are scored, as session numbers, and the grid they lie on, in sessions."""

    start: int
    end: int
    cutoff_every: int
    refit_sessions: int


def forecast(
    served: HorizonServed,
    panel: Dataset,
    horizon: Horizon,
    window: Window,
    *,
    regime: Regime,
    target_date: date,
    spa_p: float | None,
) -> HorizonForecast | str:
    """Return the live forecast of a horizon, or why there is none."""
    band, known = served.band, served.history
    if np.isnan(served.sd[-1]):
        return "too few returns for a volatility"
    if np.isnan(band.lower[-1]):
        return f"only {band.residuals[-1]} matured outcomes: too few for a band"
    current, expected, sd = float(known.price[-1]), float(served.y_hat[-1]), float(served.sd[-1])
    lower, upper, *quantiles = current * np.exp([band.lower[-1], band.upper[-1], *band.quantiles[-1]])
    return HorizonForecast(
        target_date=target_date,
        target_session=int(known.target_sessions[-1]),
        point=current * float(np.exp(expected)),
        lower_90=lower,
        upper_90=upper,
        quantiles={f"{level:g}": price for level, price in zip(LEVELS, quantiles, strict=True)},
        current=current,
        no_change=current,
        signal=signal(expected, sd, band.latest),
        probability_up=float(band.probability_up[-1]),
        regime=regime,
        volatility=sd,
        volatility_weights=dict(zip(served.volatility, served.volatility_weights[-1].tolist(), strict=True)),
        combiner=served.blend.combiner[-1],
        members=dict(zip(served.members, served.blend.weights[-1].tolist(), strict=True)),
        member_returns=dict(_returns(served)),
        metrics=metrics(served, panel, horizon, window),
        longest=_longest(served, panel, horizon, window),
        combinations=dict(_combinations(served, horizon, window)),
        spa_p=spa_p,
        **band_report(served, horizon, window.cutoff_every, window.end - 60 * window.refit_sessions),
        note="insufficient independent history" if horizon in _FEW_WINDOWS else "",
    )


def _returns(served: HorizonServed) -> Iterator[tuple[str, float]]:
    for name, weight, said in zip(served.members, served.blend.weights[-1], served.forecasts[-1], strict=True):
        if weight > 0:
            yield name, float(said)


def metrics(served: HorizonServed, panel: Dataset, horizon: Horizon, window: Window) -> Metrics:
    """Return the score of the forecasts as served, over the scored window."""
    known = panel.until(window.start)
    scale = naive_mae(known.sessions, known.price, horizon.sessions)
    return Metrics(**asdict(_score(served, served.y_hat, scored(served, window), horizon, window, scale)))


def scored(served: HorizonServed, window: Window) -> NDArray[np.bool_]:
    """Return which rows are inside the scored window and have matured."""
    sessions = served.history.sessions
    return np.asarray((sessions >= window.start) & (sessions <= window.end) & ~np.isnan(served.history.y))


def volatility_scores(served: HorizonServed, horizon: Horizon, window: Window) -> Iterator[VolatilityScore]:
    """Yield the score of every volatility forecast over the scored window, each beside EWMA and HAR on its rows."""
    columns = dict(zip(served.volatility, served.volatilities.T, strict=True)) | {SERVED_VOLATILITY: served.sd}
    realised = served.history.realised
    inside = scored(served, window) & (realised > 0)
    for name, sd in columns.items():
        rows = inside & (sd > 0) & (columns[EWMA] > 0)
        if not rows.any():
            continue
        own = qlike(sd[rows] ** 2, realised[rows])
        yield VolatilityScore(
            model_id=name,
            horizon=horizon,
            qlike=own,
            mae=volatility_mae(sd[rows] ** 2, realised[rows], horizon.sessions),
            skill=_against(columns[EWMA], realised, rows, own),
            skill_har=None if _HAR not in columns else _against(columns[_HAR], realised, rows, own),
            n=int(rows.sum()),
        )


def _against(yardstick: Floats, realised: Floats, rows: NDArray[np.bool_], own: float) -> float | None:
    if not (yardstick[rows] > 0).all():
        return None
    return skill(own, qlike(yardstick[rows] ** 2, realised[rows]))


def _score(
    served: HorizonServed,
    y_hat: Floats,
    rows: NDArray[np.bool_],
    horizon: Horizon,
    window: Window,
    scale: float | None = None,
) -> Score:
    known = served.history
    return score(
        known.sessions[rows],
        known.target_sessions[rows],
        known.price[rows],
        y_hat[rows],
        known.y[rows],
        horizon_sessions=horizon.sessions,
        step=window.cutoff_every,
        naive_mae=scale,
    )


def _longest(served: HorizonServed, panel: Dataset, horizon: Horizon, window: Window) -> Metrics | None:
    """Score every cutoff at which some member's errors had been maturing for a year."""
    sessions = served.history.sessions
    spoken = np.isfinite(served.forecasts[:, 1:]).any(axis=1)
    if not spoken.any():
        return None
    first = int(sessions[spoken.argmax()]) + horizon.sessions + 252
    rows = (sessions >= first) & (sessions <= window.end) & ~np.isnan(served.history.y)
    known = panel.until(first)
    scale = naive_mae(known.sessions, known.price, horizon.sessions)
    return Metrics(**asdict(_score(served, served.y_hat, rows, horizon, window, scale))) if rows.any() else None


def _combinations(served: HorizonServed, horizon: Horizon, window: Window) -> Iterator[tuple[str, Combination]]:
    rows = scored(served, window)
    served_at = np.array(served.blend.combiner)[rows]
    candidates: Mapping[str, Floats] = served.blend.candidates
    known = served.history
    effective = n_effective(known.sessions[rows], known.target_sessions[rows], horizon.sessions)
    losses = np.abs(served.y_hat - known.y)[rows]
    for name, y_hat in candidates.items():
        found = _score(served, y_hat, rows, horizon, window)
        share = float(np.mean(served_at == name)) if rows.any() else 0.0
        beaten_p = diebold_mariano(
            losses,
            np.abs(y_hat - known.y)[rows],
            horizon_sessions=horizon.sessions,
            step=window.cutoff_every,
            effective=effective,
        )
        yield name, Combination(skill=found.skill, dm_p=found.dm_p, beaten_p=beaten_p, served=share)
