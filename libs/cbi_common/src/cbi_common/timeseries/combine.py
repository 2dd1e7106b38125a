"""Ways to combine the members, in competition: the one with the best matured errors serves.

All of them give weights >= 0 that sum to 1 at every cutoff, no-change among the members, so that what a driver adds to
a member adds to the forecast. Every weight comes from errors that had matured by its cutoff.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from cbi_common.timeseries.blend import Earned, earned
from cbi_common.timeseries.dataset import Floats, Ints
from cbi_common.timeseries.experts import RATE, expert_weights
from cbi_common.timeseries.folds import overlaps

NO_CHANGE = "no_change"
EXPERTS, INVERSE_ERROR, MEAN, TRIMMED, SHRUNK, TILTED, BEST = (
    "experts", "inverse_error", "mean", "trimmed_mean", "shrunk", "tilted", "best_member"
)  # fmt: skip
YARDSTICKS = (BEST,)
"""Are scored beside the combinations and never serve."""

TRIM = 0.2
"""Share of the members that the trimmed mean leaves out on either side."""

DOUBT = 4.0
"""Prior precision of the slope of actual on forecast, both in standard deviations, around 0."""

TILT = 3.0
"""How many more votes a specialist has on a day that is certainly of its regime."""

ODDS = 10.0
"""Odds, as the experts count them, at which another combination replaces the experts'."""


@dataclass(frozen=True)
class Panel:
    """What the members said at each cutoff, and what came of it.

    Attributes
    ----------
    names : m model ids, no-change first
    forecasts : (n, m) float64
        Log returns over the horizon, NaN where a member gave none; no-change is 0 throughout.
    y, sd : (n,) float64
        Actual log return, NaN where not known, and forecast standard deviation.
    sessions, target_sessions : (n,) int64, ascending
        Cutoffs and the sessions of their outcomes.
    """

    names: tuple[str, ...]
    forecasts: Floats
    y: Floats
    sd: Floats
    sessions: Ints
    target_sessions: Ints

    @property
    def overlap(self) -> Ints:
        """How many cutoffs share each outcome's span (`folds.overlaps`)."""
        return overlaps(self.sessions, self.target_sessions)

    @property
    def matured(self) -> Ints:
        """Number of rows, from the first on, whose outcome was known at each cutoff."""
        return np.searchsorted(self.target_sessions, self.sessions, side="right").astype(np.int64)

    def blended(self, weights: Floats) -> Floats:
        """Return the forecasts (n,) that weights (n, m) make; a member without a forecast must weigh nothing."""
        return np.asarray(np.sum(weights * np.nan_to_num(self.forecasts), axis=1))


@dataclass(frozen=True)
class Served:
    """The combination as it was served.

    Attributes
    ----------
    combiner : n names
        Which combination served at each cutoff.
    weights : (n, m) float64
    y_hat : (n,) float64
    candidates : name to (n,) float64
        What each combination would have served.
    matured : (n,) int64
        Outcomes known at each cutoff.
    """

    combiner: tuple[str, ...]
    weights: Floats
    y_hat: Floats
    candidates: Mapping[str, Floats]
    matured: Ints


def combine(panel: Panel, specialists: Mapping[str, Floats]) -> Served:
    """Let the combinations of `candidate_weights` compete."""
    return compete(panel, candidate_weights(panel, specialists))


def compete(panel: Panel, weights: Mapping[str, Floats]) -> Served:
    """Let combinations compete, cutoff by cutoff.

    Parameters
    ----------
    panel : Panel
    weights : name to (n, m) float64
        The experts' among them. A single member is a yardstick and does not serve.

    Notes
    -----
    The experts serve by default. Another combination takes over at a cutoff where its matured absolute errors, in
    standard deviations and per independent outcome, put odds of `ODDS` to one on it.
    """
    candidates = {name: panel.blended(w) for name, w in weights.items()}
    names = list(candidates)
    taught = np.isfinite(panel.y) & np.isfinite(panel.sd) & (panel.sd > 0)
    scale = np.where(taught, panel.sd, 1.0) * panel.overlap
    losses = [np.where(taught, np.abs(f - np.nan_to_num(panel.y)) / scale, 0.0) for f in candidates.values()]
    # Prefix sums add from the oldest row on, so a later row cannot change an earlier choice.
    lost = np.vstack([np.zeros((1, len(names))), np.cumsum(np.column_stack(losses), axis=0)])[panel.matured]
    lost[:, names.index(EXPERTS)] -= log(ODDS) / RATE
    lost[:, [names.index(name) for name in YARDSTICKS if name in names]] = np.inf
    chosen = lost.argmin(axis=1)
    table = np.stack(list(weights.values()))
    rows = np.arange(len(panel.sessions))
    served = table[chosen, rows]
    return Served(tuple(names[i] for i in chosen), served, panel.blended(served), candidates, panel.matured)


def candidate_weights(panel: Panel, specialists: Mapping[str, Floats]) -> dict[str, Floats]:
    """Return the weights (n, m) of every combination; `EXPERTS` come first."""
    found = earned(panel.forecasts, panel.y, panel.sessions, panel.target_sessions)
    inverse = _completed(found.inverse)
    return {
        EXPERTS: expert_weights(
            panel.forecasts, panel.y, panel.sd, panel.sessions, panel.target_sessions, share=found.votes
        ),
        NO_CHANGE: _completed(np.zeros_like(inverse)),
        MEAN: _completed(found.standing * found.votes),
        TRIMMED: _completed(_trimmed(panel, found)),
        INVERSE_ERROR: inverse,
        SHRUNK: _shrunk(panel, inverse),
        TILTED: _completed(found.inverse * _tilt(panel, specialists)),
        BEST: _completed(found.best),
    }


def _completed(votes: Floats) -> Floats:
    """Scale votes to weights; without any, no-change has them all."""
    total = votes.sum(axis=1, keepdims=True)
    weights = np.divide(votes, total, where=total > 0, out=np.zeros_like(votes, dtype=np.float64))
    weights[:, 0] += total[:, 0] <= 0
    return weights


def _trimmed(panel: Panel, found: Earned) -> Floats:
    said = np.where(found.standing, panel.forecasts, np.inf)
    place = np.argsort(np.argsort(said, axis=1, kind="stable"), axis=1, kind="stable")
    standing = found.standing.sum(axis=1, keepdims=True)
    cut = np.floor(TRIM * standing)
    kept: NDArray[np.bool_] = found.standing & (place >= cut) & (place < standing - cut)
    votes: Floats = np.where(kept, found.votes, 0.0)
    return votes


def _shrunk(panel: Panel, inverse: Floats) -> Floats:
    """Shrink to no-change by the slope of actual on forecast so far, a ridge around 0 on independent outcomes."""
    taught = np.isfinite(panel.y) & np.isfinite(panel.sd) & (panel.sd > 0)
    scale = np.where(taught, panel.sd, 1.0)
    forecast = panel.blended(inverse) / scale
    terms = np.column_stack([forecast * np.nan_to_num(panel.y) / scale, forecast**2]) / panel.overlap[:, None]
    sums = np.vstack([np.zeros((1, 2)), np.cumsum(np.where(taught[:, None], terms, 0.0), axis=0)])[panel.matured]
    slope = np.clip(sums[:, 0] / (sums[:, 1] + DOUBT), 0.0, 1.0)[:, None]
    weights: Floats = inverse * slope
    weights[:, :1] += 1.0 - slope
    return weights


def _tilt(panel: Panel, specialists: Mapping[str, Floats]) -> Floats:
    tilt = np.ones(panel.forecasts.shape)
    for name, probability in specialists.items():
        if name in panel.names:
            tilt[:, panel.names.index(name)] += TILT * np.nan_to_num(probability)
    return tilt
