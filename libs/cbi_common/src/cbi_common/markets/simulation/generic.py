"""A process for every series of a market file that the simulation knows nothing else about.

Its values stay within the limits that the market file states, so that a series can be added there and nowhere else.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from cbi_common.markets.spec import SeriesSpec

Floats = NDArray[np.float64]
Days = NDArray[np.datetime64]

_PULL = 0.004
_SPREAD = 0.35
"""Standard deviation of the process in logits (or logs) about its middle."""


def observation_days(days: Days, frequency: str) -> Days:
    """Return the days on which a series of this frequency is observed: sessions, Tuesdays, or the first of a month.

    Parameters
    ----------
    days : (n,) datetime64[D], ascending
        Sessions.
    frequency : str
        ``session``, ``week`` or ``month``.
    """
    observed = np.ones(len(days), dtype=bool)
    if frequency == "week":
        observed = (days.astype("datetime64[D]").astype(np.int64) + 3) % 7 == 1
    elif frequency == "month":
        months = days.astype("datetime64[M]")
        observed[1:] = months[1:] != months[:-1]
    kept: Days = days[observed]
    return kept


def generic_values(spec: SeriesSpec, count: int, rng: np.random.Generator) -> Floats:
    """Return ``count`` values that wander about the middle of the limits of ``spec`` and never reach them.

    Between two limits the logit of the place between them is an autoregression; above one limit the log of the
    distance to it is; without any the value itself is.
    """
    noise = rng.standard_normal(count) * _SPREAD * np.sqrt(2 * _PULL)
    if spec.max_move is not None:
        # A log move is at most the move of the logit, so that none needs to be confirmed.
        noise = np.clip(noise, -0.6 * spec.max_move, 0.6 * spec.max_move)
    walk: Floats = lfilter([1.0], [1.0, _PULL - 1.0], noise)
    return _within(walk, spec.above, spec.below)


def _within(walk: Floats, above: float | None, below: float | None) -> Floats:
    if above is not None and below is not None:
        # A ratio of limits over ten says magnitude rather than range: most values lie in the lower part.
        place = -1.5 if above >= 0 and below > 10 * max(above, 1e-9) else 0.0
        share: Floats = 1 / (1 + np.exp(-(walk + place)))
        return above + (below - above) * share
    if above is not None:
        return above + 100 * np.exp(walk)
    if below is not None:
        return below - 100 * np.exp(walk)
    return 10 * walk
