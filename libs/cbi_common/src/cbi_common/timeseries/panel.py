"""As-of join: what was known of a series at the close of each session."""

from __future__ import annotations

import numpy as np

from cbi_common.timeseries.dataset import Floats, Ints


def as_known(
    sessions: Ints,
    observation_sessions: Ints,
    values: Floats,
    *,
    release_lag_sessions: int,
    staleness_sessions: int,
) -> Floats:
    """Return for each session the latest observation published by then, NaN where it is missing or too old.

    An observation of session ``o`` is known from ``o + release_lag_sessions`` on and holds for
    ``staleness_sessions`` sessions after that. A NaN observation says nothing: the one before it goes on holding.

    Parameters
    ----------
    sessions : (n,) int64
        Sessions to fill, in any order.
    observation_sessions : (k,) int64, strictly ascending
        Session each value refers to. One made on a day without a session belongs to the next session.
    values : (k,) float64
    release_lag_sessions : int >= 0
        Sessions between the observation and its release, counted in full so that it is surely out by the close.
    staleness_sessions : int >= 0
        Sessions after its release during which a value still counts as current; 0 holds for that session only.

    Returns
    -------
    (n,) float64

    Raises
    ------
    ValueError
        For observations out of order or twice on a session, or a negative lag or staleness.

    >>> as_known(np.arange(6), np.array([0, 3]), np.array([1.0, 2.0]), release_lag_sessions=1, staleness_sessions=1)
    array([nan,  1.,  1., nan,  2.,  2.])
    """
    if release_lag_sessions < 0 or staleness_sessions < 0:
        raise ValueError(f"negative lag {release_lag_sessions} or staleness {staleness_sessions}")
    if (np.diff(observation_sessions) <= 0).any():
        raise ValueError("observation sessions must strictly ascend")
    present = ~np.isnan(values)
    released, said = observation_sessions[present] + release_lag_sessions, values[present]
    result = np.full(len(sessions), np.nan)
    if not len(said):
        return result
    latest = np.searchsorted(released, sessions, side="right") - 1
    fresh = (latest >= 0) & (sessions - released[latest] <= staleness_sessions)
    result[fresh] = said[latest[fresh]]
    return result
