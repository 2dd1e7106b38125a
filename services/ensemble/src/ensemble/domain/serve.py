"""The forecasts of one horizon as they were served at every cutoff, from nothing but what was known there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from cbi_common.timeseries import blend
from cbi_common.timeseries.bands import Bands, bands
from cbi_common.timeseries.dataset import Dataset, Floats, Ints, targets
from cbi_common.timeseries.volatility import forecast_sd

NO_CHANGE = "no_change"


@dataclass(frozen=True)
class MemberForecasts:
    """A member's forecasts: log returns over the horizon at its own cutoffs."""

    sessions: Ints
    y_hat: Floats


@dataclass(frozen=True)
class Served:
    """One row per cutoff, ascending; the last one is the live forecast.

    Attributes
    ----------
    sessions, target_sessions : (n,) int64
    dates : (n,) datetime64[D]
    price : (n,) float64
        Price at the cutoff.
    y_hat, y : (n,) float64
        Log return over the horizon, as served and actual (NaN where not matured).
    sd : (n,) float64
        Forecast standard deviation of that log return.
    band : Bands
    members : m model ids, sorted; no-change is always one of them
    forecasts : (n, m) float64
        Log returns as the members gave them, NaN where one gave none.
    weights : (n, m) float64
        >= 0; rows sum to 1.
    matured : (n,) int64
        Outcomes that the weights of a row were learned from.
    outcomes : (k,) float64
        Equally likely log returns from the last cutoff on: its forecast plus every matured scaled residual.
    """

    sessions: Ints
    target_sessions: Ints
    dates: NDArray[np.datetime64]
    price: Floats
    y_hat: Floats
    y: Floats
    sd: Floats
    band: Bands
    members: tuple[str, ...]
    forecasts: Floats
    weights: Floats
    matured: Ints
    outcomes: Floats


def serve(
    panel: Dataset,
    variance: Floats,
    members: Mapping[str, MemberForecasts],
    *,
    horizon: int,
    cutoffs: Sequence[int],
    cutoff_every: int,
) -> Served:
    """Blend the members, put a band around what was served, and keep both for every cutoff.

    Before the members begin no-change is served: its residuals on the same grid over the whole earlier history are
    residuals of the forecast as served, and they are what the first bands are made of.

    Parameters
    ----------
    panel : Dataset
        Prices known at as_of.
    variance : (rows of panel,) float64
        Variance per session as known at each close, NaN before there is one.
    members : mapping of model id to MemberForecasts
    horizon : int
        Sessions.
    cutoffs : sequence of int
        Ascending sessions to serve; those that the panel lacks are left out.
    cutoff_every : int
        Step of the cutoff grid, in sessions.
    """
    before = (panel.sessions < cutoffs[0]) & (panel.sessions % cutoff_every == 0)
    at_cutoff = np.isin(panel.sessions, np.asarray(cutoffs))
    rows, begin = np.flatnonzero(before | at_cutoff), int(before.sum())
    sessions = panel.sessions[rows]
    target_sessions = sessions + horizon
    y, sd = targets(panel.sessions, panel.price, horizon)[rows], forecast_sd(variance[rows], horizon)
    names = tuple(sorted({NO_CHANGE, *members}))
    forecasts = _aligned(names, members, sessions[begin:])
    mixed = blend.serve(forecasts, y[begin:], sessions[begin:], target_sessions[begin:])
    weights = mixed.weights.copy()
    weights[:, names.index(NO_CHANGE)] += mixed.no_change
    y_hat = np.concatenate([np.zeros(begin), mixed.y_hat])
    return Served(
        sessions=sessions[begin:],
        target_sessions=target_sessions[begin:],
        dates=panel.dates[rows][begin:],
        price=panel.price[rows][begin:],
        y_hat=mixed.y_hat,
        y=y[begin:],
        sd=sd[begin:],
        band=_from(bands(y_hat, sd, y, sessions, target_sessions), begin),
        members=names,
        forecasts=forecasts,
        weights=weights,
        matured=mixed.matured,
        outcomes=_outcomes(y_hat, sd, y),
    )


def _aligned(names: Sequence[str], members: Mapping[str, MemberForecasts], sessions: Ints) -> Floats:
    matrix = np.full((len(sessions), len(names)), np.nan)
    for column, name in enumerate(names):
        if name == NO_CHANGE:
            matrix[:, column] = 0.0
            continue
        _, here, there = np.intersect1d(sessions, members[name].sessions, assume_unique=True, return_indices=True)
        matrix[here, column] = members[name].y_hat[there]
    return matrix


def _from(band: Bands, begin: int) -> Bands:
    return Bands(*(getattr(band, field.name)[begin:] for field in fields(Bands)))


def _outcomes(y_hat: Floats, sd: Floats, y: Floats) -> Floats:
    scaled = (y - y_hat) / sd
    outcomes: Floats = y_hat[-1] + sd[-1] * scaled[np.isfinite(scaled)]
    return outcomes
