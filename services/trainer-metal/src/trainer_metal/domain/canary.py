"""Whether two devices compute the same: a tiny known problem, solved on both."""

from __future__ import annotations

import numpy as np

from cbi_common.timeseries.dataset import Floats

TOLERANCE = 1e-3
STEPS = 50


def problem(rows: int = 64, columns: int = 8) -> tuple[Floats, Floats]:
    """Return inputs (rows, columns) and targets (rows,) of a smooth regression that gradient descent solves."""
    x = np.sin(np.arange(rows * columns, dtype=np.float64)).reshape(rows, columns)
    return x, np.tanh(x @ np.cos(np.arange(columns, dtype=np.float64)))


def disagreement(trusted: Floats, doubted: Floats) -> str | None:
    """Return what is wrong with the losses (n_steps,) of the ``doubted`` device, or None when they agree.

    >>> disagreement(np.array([1.0, 0.5]), np.array([1.0, 0.7]))
    'its loss is off by 40 % at step 2'
    """
    if not np.isfinite(doubted).all():
        return f"its loss is not a number at step {int(np.argmin(np.isfinite(doubted))) + 1}"
    off = np.abs(doubted - trusted) / np.abs(trusted)
    worst = int(np.argmax(off))
    return f"its loss is off by {100 * off[worst]:.2g} % at step {worst + 1}" if off[worst] > TOLERANCE else None
