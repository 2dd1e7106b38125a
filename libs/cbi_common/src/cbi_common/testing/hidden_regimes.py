"""The filter to beat on a simulated market: it knows the process and sees some of the series."""

from __future__ import annotations

import numpy as np

from cbi_common.markets.simulation.history import Setting, draw
from cbi_common.markets.simulation.process import FIRST_REGIME, start
from cbi_common.markets.simulation.truth import infer
from cbi_common.timeseries.dataset import Floats

PRICE_AND_FEAR = ("oil", "vix")
"""What the regime service sees of the process."""


def exact_filter(setting: Setting, seen: tuple[str, ...] = PRICE_AND_FEAR) -> Floats:
    """Return the probabilities (n, 4) of the regimes for whoever knows the process and sees today's ``seen``.

    It also knows all of yesterday's states, so whoever does not is below it even with the parameters known.

    Parameters
    ----------
    setting : Setting
        Without ``drift_at``: one process throughout.
    seen : tuple of names in ``STATE``
    """
    history = draw(setting)
    ((_, process),) = history.parts
    before = np.vstack([start(), history.states[:-1]])
    surprise = history.states - before @ process.matrix.T - process.constant
    surprise -= process.seasonal_moves(history.days)[:, None] * process.season
    return infer(process, surprise, seen, np.eye(4)[FIRST_REGIME])
