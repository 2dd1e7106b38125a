"""Walk-forward folds on absolute grids of sessions: a new day adds cutoffs and never moves an old one."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cbi_common.timeseries.dataset import Ints


@dataclass(frozen=True)
class Window:
    """Grid cutoffs of a horizon, as session numbers: predicted from ``burn_in_start``, scored ``start`` to ``end``.

    Long models predict from ``early_start``, the first that the history allows.
    """

    early_start: int
    burn_in_start: int
    start: int
    end: int


def window(
    *,
    as_of_session: int,
    horizon_sessions: int,
    first_session: int,
    cutoff_every: int,
    refit_sessions: int,
    scored_periods: int,
    burn_in_periods: int,
    min_train: int,
) -> Window | None:
    """Return the window of matured cutoffs that a run scores, or None when the history holds none.

    Parameters
    ----------
    as_of_session : int
        Last session known; the last scored cutoff is the last one on the grid whose outcome had matured by then.
    horizon_sessions : int > 0
    first_session : int
        First session of the data.
    cutoff_every : int > 0
        Cutoffs are the sessions divisible by it.
    refit_sessions : int > 0
        Length of a refit period.
    scored_periods : int > 0
        Refit periods to score: ``ceil(scored_periods * refit_sessions / cutoff_every)`` cutoffs, fewer when the
        history is short.
    burn_in_periods : int >= 0
        Refit periods predicted before the scored ones, so that weights and bands have matured errors to learn from.
    min_train : int >= 0
        Sessions of data that must lie before the first predicted cutoff.

    >>> window(as_of_session=6387, horizon_sessions=5, first_session=50, cutoff_every=5, refit_sessions=21,
    ...        scored_periods=60, burn_in_periods=24, min_train=750)
    Window(early_start=800, burn_in_start=4620, start=5125, end=6380)
    """
    end = _down(as_of_session - horizon_sessions, cutoff_every)
    earliest = -_down(-(first_session + min_train), cutoff_every)
    if earliest > end:
        return None
    scored = -(-scored_periods * refit_sessions // cutoff_every)
    start = max(end - (scored - 1) * cutoff_every, earliest)
    burn_in_start = max(_down(start - burn_in_periods * refit_sessions, cutoff_every), earliest)
    return Window(earliest, burn_in_start, start, end)


def refit_grid(first: int, last: int, refit_sessions: int, every: int = 1) -> list[int]:
    """Return the grid refits that serve the cutoffs ``first`` to ``last``, from the last one at or before ``first`` on.

    Refits are the sessions ``s`` with ``s % refit_sessions == 0`` and ``(s // refit_sessions) % every == 0``.

    >>> refit_grid(100, 200, 21, every=2)
    [84, 126, 168]
    """
    step = refit_sessions * every
    return list(range(_down(first, step), last + 1, step))


def serving_refit(refits: Sequence[int], cutoff: int) -> int | None:
    """Return the last of the ascending ``refits`` at or before the cutoff, None when there is none yet."""
    position = bisect_right(refits, cutoff)
    return refits[position - 1] if position else None


def overlaps(sessions: Ints, target_sessions: Ints) -> Ints:
    """Return at each cutoff how many cutoffs share its outcome's span, at least itself: so many errors count as one.

    Parameters
    ----------
    sessions, target_sessions : (n,) int64, ascending
        Cutoffs and the sessions of their outcomes.

    >>> overlaps(np.array([0, 5, 10, 15]), np.array([12, 17, 22, 27])).tolist()
    [3, 3, 2, 1]
    """
    ahead = np.searchsorted(sessions, target_sessions, side="left") - np.arange(len(sessions))
    return np.maximum(ahead, 1).astype(np.int64)


def _down(session: int, step: int) -> int:
    return session // step * step
