"""A series, its moves, and two series against each other."""

from __future__ import annotations

import numpy as np

from ingest.domain.kinds.windows import Floats, previous


def level(x: Floats) -> Floats:
    """Return the series itself."""
    return x


def change(x: Floats, *, sessions: int) -> Floats:
    """Return ``x[t] - x[t - sessions]``."""
    return x - previous(x, sessions)


def log_return(x: Floats, *, sessions: int) -> Floats:
    """Return ``log(x[t] / x[t - sessions])`` of a positive series."""
    return change(np.log(x), sessions=sessions)


def skip_return(x: Floats, *, sessions: int, skip: int) -> Floats:
    """Return ``log(x[t - skip] / x[t - sessions])``: momentum without the last ``skip`` sessions.

    Jegadeesh and Titman (1993) leave the last month out, because short moves revert while long ones go on.
    """
    logs: Floats = np.log(x)
    return previous(logs, skip) - previous(logs, sessions)


def ratio(x: Floats, y: Floats) -> Floats:
    """Return ``log(x / y)`` of positive series."""
    result: Floats = np.log(x) - np.log(y)
    return result


def spread(x: Floats, y: Floats) -> Floats:
    """Return ``x - y`` of series in one unit."""
    return x - y


def share(x: Floats, y: Floats) -> Floats:
    """Return ``x / y`` of a positive ``y``."""
    return x / y
