"""Whether the best of everything that was tried is better than no-change, or only the luckiest."""

from __future__ import annotations

from functools import cache
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from cbi_common.timeseries.significance import MIN_EFFECTIVE, n_effective
from cbi_common.training.lean_import import absent, submodule
from ensemble.domain.serve import HorizonServed

REPETITIONS = 1000
SEED = 20200101


@cache
def load_library() -> ModuleType:
    """Import the bootstrap without numba, which compiles nothing here, and without the half of arch it does not need.

    That saves 1.4 s a run.
    """
    with absent("numba", "matplotlib"):
        return submodule("arch.bootstrap")


def superiority(served: HorizonServed, rows: NDArray[np.bool_], horizon_sessions: int, step: int) -> float | None:
    """Return the p-value of Hansen's (2005) test of superior predictive ability against no-change.

    Over the absolute errors, in price, of every member that has a forecast at all of the rows and of every
    combination. The stationary bootstrap draws blocks as long as outcomes overlap, so neighbours stay together.

    Parameters
    ----------
    served : HorizonServed
    rows : (n,) bool
        Scored cutoffs.
    horizon_sessions, step : int
        Sessions from cutoff to outcome and between cutoffs.

    Returns
    -------
    float or None
        None below 10 effective windows, and when nothing that was tried differs from no-change.
    """
    known = served.history
    if not rows.any():
        return None
    if n_effective(known.sessions[rows], known.target_sessions[rows], horizon_sessions) < MIN_EFFECTIVE:
        return None
    members = served.forecasts[rows][:, np.isfinite(served.forecasts[rows]).all(axis=0)]
    tried = np.column_stack([members, *(f[rows] for f in served.blend.candidates.values())])
    tried = np.unique(tried[:, np.any(tried != 0.0, axis=0)], axis=1)
    if not tried.shape[1]:
        return None
    bootstrap = load_library()
    price, actual = known.price[rows], known.price[rows] * np.exp(known.y[rows])
    losses = np.abs(price[:, None] * np.exp(tried) - actual[:, None])
    test = bootstrap.SPA(
        np.abs(price - actual), losses, block_size=max(-(-horizon_sessions // step), 2), reps=REPETITIONS, seed=SEED
    )
    test.compute()
    return float(test.pvalues["consistent"])
