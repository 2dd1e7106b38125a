"""Parameters of GARCH models, estimated by arch on daily log returns."""

from __future__ import annotations

import warnings
from typing import Literal

import numpy as np

from cbi_common.core.errors import JobError
from cbi_common.timeseries.dataset import Floats
from trainer_cpu.domain.variance import Garch

PERCENT = 100.0
"""arch's optimiser wants returns of the size of one."""


def fit_garch(y: Floats) -> Garch:
    """Return GARCH(1,1) with normal shocks, fitted to the changes of the log prices ``y`` (n,)."""
    return _fit(y, leverage=0, shocks="normal")


def fit_gjr(y: Floats) -> Garch:
    """Return GJR-GARCH(1,1,1) with Student's shocks, fitted to the changes of the log prices ``y`` (n,)."""
    return _fit(y, leverage=1, shocks="t")


def _fit(y: Floats, *, leverage: int, shocks: Literal["normal", "t"]) -> Garch:
    from arch import arch_model

    model = arch_model(PERCENT * np.diff(y), mean="Constant", vol="GARCH", p=1, o=leverage, q=1, dist=shocks)
    with warnings.catch_warnings():
        # A fit that does not converge is refused below, with the reason.
        warnings.simplefilter("ignore")
        found = model.fit(disp="off", show_warning=False)
    if found.convergence_flag != 0:
        raise JobError("the fit did not converge", where="arch", hint="give it a longer window")
    values = {name: float(value) for name, value in found.params.items()}
    state = Garch(
        mean=values["mu"] / PERCENT,
        omega=values["omega"] / PERCENT**2,
        alpha=values["alpha[1]"],
        gamma=values.get("gamma[1]", 0.0),
        beta=values["beta[1]"],
        variance=float(found.conditional_volatility[0] / PERCENT) ** 2,
        last=float(y[0]),
    )
    # The variance of the last return is not yet that of the next: the state is walked through the prices once.
    return state.after(y[1:])
