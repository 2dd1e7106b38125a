"""A dataset and the only way to look at it: what was known by the close of a session."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cbi_common.core.horizon import Horizon

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

INDEX_COLUMNS = ("session", "date", "price")
"""Columns of a stored dataset that are not features."""


@dataclass(frozen=True)
class Dataset:
    """Rows of trading sessions in ascending order, each as known at its own close.

    Attributes
    ----------
    sessions : (n,) int64
        Session numbers on the market's absolute calendar; a gap is a session that the data lacks.
    dates : (n,) datetime64[D]
    price : (n,) float64
        Canonical price, > 0.
    features : (n, p) float64
        NaN where a value was not known.
    names : p feature names
    """

    sessions: Ints
    dates: NDArray[np.datetime64]
    price: Floats
    features: Floats
    names: tuple[str, ...]

    def until(self, session: int) -> Dataset:
        """Return the rows known at the close of ``session``; nothing later is reachable from the result."""
        end = int(np.searchsorted(self.sessions, session, side="right"))
        return replace(
            self,
            sessions=self.sessions[:end],
            dates=self.dates[:end],
            price=self.price[:end],
            features=self.features[:end],
        )

    def last(self, rows: int) -> Dataset:
        """Return the last ``rows`` rows."""
        start = max(0, len(self.sessions) - rows)
        return replace(
            self,
            sessions=self.sessions[start:],
            dates=self.dates[start:],
            price=self.price[start:],
            features=self.features[start:],
        )

    def without(self, columns: Iterable[str]) -> Dataset:
        """Return the dataset without the named features; names it does not have are ignored."""
        gone = set(columns)
        keep = [i for i, name in enumerate(self.names) if name not in gone]
        return replace(self, features=self.features[:, keep], names=tuple(self.names[i] for i in keep))

    def targets(self, horizon: Horizon) -> Floats:
        """Return the log return over the horizon for every row, NaN where these rows do not hold the outcome.

        A row without a session exactly ``horizon`` sessions later has no label (DOMAIN section 6). Called on
        ``until(cutoff)`` it gives the labels that had matured by the cutoff: the purge.
        """
        return targets(self.sessions, self.price, horizon.sessions)

    def digests(self, sessions: Sequence[int]) -> list[str]:
        """Return the SHA-256 of ``until(s)`` for each ascending ``s``, in one pass over the rows."""
        running = hashlib.sha256("\x1f".join(self.names).encode())
        rows = np.column_stack([self.sessions.astype(np.float64), self.price, self.features])
        found, done = [], 0
        for session in sessions:
            end = int(np.searchsorted(self.sessions, session, side="right"))
            if end < done:
                raise ValueError("sessions must ascend")
            running.update(np.ascontiguousarray(rows[done:end]).tobytes())
            done = end
            found.append(running.copy().hexdigest())
        return found


def targets(sessions: Ints, price: Floats, horizon_sessions: int) -> Floats:
    """Return ``log(price[s + h] / price[s])`` for every session ``s``, NaN where session ``s + h`` is not in the data.

    >>> targets(np.array([1, 2, 4]), np.array([1.0, 1.0, np.e]), 2).tolist()
    [nan, 1.0, nan]
    """
    where = np.searchsorted(sessions, sessions + horizon_sessions)
    found = np.minimum(where, len(sessions) - 1)
    result = np.full(len(sessions), np.nan)
    hit = sessions[found] == sessions + horizon_sessions
    result[hit] = np.log(price[found[hit]] / price[hit])
    return result
