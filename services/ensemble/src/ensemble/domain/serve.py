"""The forecasts of one horizon as they were served at every cutoff, from nothing but what was known there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cbi_common.timeseries.bands import Bands, bands
from cbi_common.timeseries.combine import NO_CHANGE, Panel, Served, candidate_weights, compete
from cbi_common.timeseries.dataset import Dataset, Floats, Ints, targets
from cbi_common.timeseries.volatility import ewma_variance, forecast_sd, realised_variance
from cbi_common.timeseries.volatility_mix import mix

Learn = Callable[[Panel, Mapping[str, Floats]], Mapping[str, Floats]]
"""From what the members said and the weights of the other combinations to the weights of learned ones, by name."""

EWMA = "ewma_97"
"""The yardstick of volatility, which the ensemble computes itself for all of the history: the first candidate."""


@dataclass(frozen=True)
class MemberForecasts:
    """A member's forecasts at its own cutoffs: log returns over the horizon, or their standard deviations."""

    sessions: Ints
    y_hat: Floats


@dataclass(frozen=True)
class History:
    """What is known of the market at each of n cutoffs, ascending; the last one is the live one.

    Attributes
    ----------
    sessions, target_sessions : (n,) int64
    dates : (n,) datetime64[D]
    price : (n,) float64
        Price at the cutoff.
    y, realised : (n,) float64
        Actual log return over the horizon and realised variance, NaN where not matured.
    ewma : (n,) float64
        EWMA forecast of the standard deviation, NaN before there are returns enough.
    regime : (n,) int64
        Regime by the rules of the market file, negative where not known.
    """

    sessions: Ints
    target_sessions: Ints
    dates: NDArray[np.datetime64]
    price: Floats
    y: Floats
    realised: Floats
    ewma: Floats
    regime: Ints

    def aligned(self, forecasts: Sequence[MemberForecasts]) -> Floats:
        """Return (n, m) with NaN where a member gave no forecast."""
        matrix = np.full((len(self.sessions), len(forecasts)), np.nan)
        for column, member in enumerate(forecasts):
            _, here, there = np.intersect1d(self.sessions, member.sessions, assume_unique=True, return_indices=True)
            matrix[here, column] = member.y_hat[there]
        return matrix


@dataclass(frozen=True)
class HorizonServed:
    """One row per cutoff of `History`; the last one is the live forecast.

    Attributes
    ----------
    history : History
    members : m model ids, no-change first, the others sorted
    forecasts : (n, m) float64
        Log returns as the members gave them, NaN where one gave none.
    blend : Served
        Weights, forecasts and the combinations that competed.
    volatility : k names, `EWMA` first
    volatilities, volatility_weights : (n, k) float64
        Standard deviations as forecast, NaN where there is none, and their votes.
    sd : (n,) float64
        Standard deviation as served.
    band : Bands
    """

    history: History
    members: tuple[str, ...]
    forecasts: Floats
    blend: Served
    volatility: tuple[str, ...]
    volatilities: Floats
    volatility_weights: Floats
    sd: Floats
    band: Bands

    @property
    def y_hat(self) -> Floats:
        """Log returns as served."""
        return self.blend.y_hat


def history(panel: Dataset, regime: Ints, *, horizon: int, cutoff_every: int) -> History:
    """Return what is known at every cutoff of the grid and at the last session.

    Parameters
    ----------
    panel : Dataset
        Prices known at as_of.
    regime : (rows of panel,) int64
    horizon : int
        Sessions.
    cutoff_every : int
        Step of the cutoff grid, in sessions.
    """
    on_grid = panel.sessions % cutoff_every == 0
    on_grid[-1] = True
    rows = np.flatnonzero(on_grid)
    sessions = panel.sessions[rows]
    return History(
        sessions=sessions,
        target_sessions=sessions + horizon,
        dates=panel.dates[rows],
        price=panel.price[rows],
        y=targets(panel.sessions, panel.price, horizon)[rows],
        realised=realised_variance(panel.sessions, panel.price, horizon)[rows],
        ewma=forecast_sd(ewma_variance(panel.sessions, panel.price), horizon)[rows],
        regime=regime[rows],
    )


def serve(
    known: History,
    members: Mapping[str, MemberForecasts],
    volatility: Mapping[str, MemberForecasts],
    *,
    specialists: Mapping[str, Floats],
    learn: Learn | None = None,
    least_width: Floats | None = None,
) -> HorizonServed:
    """Blend the members, put a band around what was served, and keep both for every cutoff.

    Where members do not reach back to, no-change is what would have been served, and its residuals are what the first
    bands are made of.

    Parameters
    ----------
    known : History
    members, volatility : model id to MemberForecasts
        Of the log return, and of its standard deviation.
    specialists : member to (n,) float64
        Probability of the regime it is a specialist of.
    learn : Learn, optional
        Further combinations.
    least_width : (n,) float64, optional
        Distance from forecast to band of the horizon before (`bands`).
    """
    names = (NO_CHANGE, *sorted(name for name in members if name != NO_CHANGE))
    nothing = np.zeros((len(known.sessions), 1))
    forecasts = np.hstack([nothing, known.aligned([members[name] for name in names[1:]])])
    volatility_names = (EWMA, *sorted(volatility))
    volatilities = np.column_stack([known.ewma, known.aligned([volatility[name] for name in volatility_names[1:]])])
    mixed = mix(volatilities, known.realised, known.sessions, known.target_sessions)
    panel = Panel(names, forecasts, known.y, mixed.sd, known.sessions, known.target_sessions)
    weights = candidate_weights(panel, specialists)
    blend = compete(panel, weights | dict(learn(panel, weights) if learn else {}))
    band = bands(
        blend.y_hat,
        mixed.sd,
        known.y,
        known.sessions,
        known.target_sessions,
        groups=known.regime,
        least_width=least_width,
    )
    return HorizonServed(known, names, forecasts, blend, volatility_names, volatilities, mixed.weights, mixed.sd, band)
