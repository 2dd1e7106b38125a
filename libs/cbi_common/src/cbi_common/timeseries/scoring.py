"""Score of a table of walk-forward predictions, beside no-change on the same rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cbi_common.timeseries.dataset import Floats, Ints
from cbi_common.timeseries.losses import (
    directional_accuracy,
    mae,
    mape,
    mase,
    pinball,
    qlike_losses,
    r2,
    r2_against,
    skill,
    volatility_mae,
)
from cbi_common.timeseries.significance import diebold_mariano, n_effective

MIN_ROWS = 2


@dataclass(frozen=True)
class Score:
    """What `cbi_common.events.training.Metrics` says, field by field: prices and fractions."""

    n: int
    n_effective: float
    mape: float | None = None
    r2: float | None = None
    mae: float | None = None
    mase: float | None = None
    skill: float | None = None
    dm_p: float | None = None
    directional_accuracy: float | None = None
    pinball_50: float | None = None
    no_change_mape: float | None = None
    no_change_mae: float | None = None
    r2_no_change: float | None = None
    qlike: float | None = None
    volatility_mae: float | None = None


def score(
    sessions: Ints,
    target_sessions: Ints,
    price: Floats,
    y_hat: Floats,
    y: Floats,
    *,
    horizon_sessions: int,
    step: int,
    naive_mae: float | None = None,
) -> Score:
    """Score the forecasts whose outcome is known.

    Parameters
    ----------
    sessions, target_sessions : (n,) int64
        Cutoffs, ascending, and the sessions of their outcomes.
    price : (n,) float64
        Price at the cutoff; forecast and outcome are ``price * exp(y_hat)`` and ``price * exp(y)``.
    y_hat, y : (n,) float64
        Log return over the horizon, forecast and actual; a row with a NaN in either does not count.
    horizon_sessions, step : int > 0
        Sessions from cutoff to target and between cutoffs.
    naive_mae : float, optional
        Scale of MASE: `losses.naive_mae` of the rows known before the first cutoff. Without it there is no MASE.

    Returns
    -------
    Score
        Only ``n`` and ``n_effective`` when fewer than two rows count.
    """
    known = np.isfinite(y) & np.isfinite(y_hat)
    n = int(np.count_nonzero(known))
    effective = n_effective(sessions[known], target_sessions[known], horizon_sessions)
    if n < MIN_ROWS:
        return Score(n, effective)
    current, predicted, realised = price[known], y_hat[known], y[known]
    forecast, actual = current * np.exp(predicted), current * np.exp(realised)
    own, unchanged = mae(forecast, actual), mae(current, actual)
    return Score(
        n=n,
        n_effective=effective,
        mape=mape(forecast, actual),
        r2=r2(forecast, actual),
        mae=own,
        mase=mase(forecast, actual, naive_mae) if naive_mae else None,
        skill=skill(own, unchanged),
        dm_p=diebold_mariano(
            np.abs(forecast - actual),
            np.abs(current - actual),
            horizon_sessions=horizon_sessions,
            step=step,
            effective=effective,
        ),
        directional_accuracy=directional_accuracy(predicted, realised),
        pinball_50=pinball(forecast, actual, 0.5),
        no_change_mape=mape(current, actual),
        no_change_mae=unchanged,
        r2_no_change=r2_against(forecast, current, actual),
    )


def volatility_score(
    sessions: Ints,
    target_sessions: Ints,
    forecast: Floats,
    realised: Floats,
    yardstick: Floats,
    *,
    horizon_sessions: int,
    step: int,
) -> Score:
    """Score volatility forecasts whose outcome is known, beside a yardstick's on the same rows.

    Parameters
    ----------
    sessions, target_sessions : (n,) int64
        Cutoffs, ascending, and the sessions of their outcomes.
    forecast, realised, yardstick : (n,) float64
        Standard deviation of the log return over the horizon; a row that lacks one, or in which nothing moved, does
        not count.
    horizon_sessions, step : int > 0
        Sessions from cutoff to target and between cutoffs.
    """
    known = (realised > 0) & (forecast > 0) & (yardstick > 0)
    n = int(np.count_nonzero(known))
    effective = n_effective(sessions[known], target_sessions[known], horizon_sessions)
    if n < MIN_ROWS:
        return Score(n, effective)
    outcome = realised[known] ** 2
    own, other = (qlike_losses(sd[known] ** 2, outcome) for sd in (forecast, yardstick))
    return Score(
        n=n,
        n_effective=effective,
        skill=skill(float(own.mean()), float(other.mean())),
        dm_p=diebold_mariano(own, other, horizon_sessions=horizon_sessions, step=step, effective=effective),
        qlike=float(own.mean()),
        volatility_mae=volatility_mae(forecast[known] ** 2, outcome, horizon_sessions),
    )
