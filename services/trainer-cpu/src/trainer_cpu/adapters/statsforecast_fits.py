"""Parameters of the statistical models, estimated by statsforecast on log prices."""

from __future__ import annotations

import warnings
from types import ModuleType
from typing import Any

import numpy as np

from cbi_common.core.errors import JobError
from cbi_common.timeseries.dataset import Floats
from cbi_common.training.lean_import import absent, submodule
from trainer_cpu.domain.arma import Arma
from trainer_cpu.domain.smoothing import Smoothing
from trainer_cpu.domain.theta import Theta

MAX_ORDER = 3


def fit_ets(y: Floats) -> Smoothing:
    """Return the smoothing of ``y`` (n,) with the lower AICc: a level alone, or a level and a damped trend.

    An undamped trend is not offered: carried on for a year it is the textbook failure (Gardner & McKenzie, 1985).
    """
    ets = _load("ets")
    fits = [ets.ets_f(y, 1, "ANN", damped=False), ets.ets_f(y, 1, "AAN", damped=True)]
    best = min(fits, key=lambda fit: float(fit["aicc"]))
    alpha, beta, _, phi = (float(value) for value in best["par"][:4])
    level, slope = (*map(float, best["states"][-1]), 0.0)[:2]
    if best["components"] == "ANNN":
        beta, phi = 0.0, 1.0
    return Smoothing(level, slope, alpha, beta, phi, last=float(y[-1]))


def fit_theta(y: Floats) -> Theta:
    """Return the standard or optimised, static or dynamic theta model with the lowest squared error on ``y`` (n,)."""
    best = _load("theta").auto_theta(y, 1)
    level, mean, intercept, slope, _ = (float(value) for value in best["states"][-1])
    return Theta(
        level=level,
        mean=mean,
        intercept=intercept,
        slope=slope,
        n=len(y),
        alpha=float(best["par"]["alpha"]),
        theta=float(best["par"]["theta"]),
        dynamic=best["modeltype"] in ("DSTM", "DOTM"),
        last=float(y[-1]),
    )


def fit_arma(y: Floats) -> Arma:
    """Return the ARMA(p, q) of the daily changes of ``y`` (n,), p and q at most 3, with the lowest AICc.

    The changes are taken as stationary: a second difference would carry a local trend on for a year.
    """
    with warnings.catch_warnings():
        # An order whose likelihood does not converge loses the comparison; that is what the search is for.
        warnings.filterwarnings("ignore", message="possible convergence problem")
        best = _load("arima").auto_arima_f(np.diff(y), d=0, seasonal=False, max_p=MAX_ORDER, max_q=MAX_ORDER)
    coefficients: dict[str, Any] = best["coef"]
    p, q = best["arma"][:2]
    mean = float(coefficients.get("intercept", 0.0))
    return Arma(
        mean=mean,
        ar=tuple(float(coefficients[f"ar{i}"]) for i in range(1, p + 1)),
        ma=tuple(float(coefficients[f"ma{i}"]) for i in range(1, q + 1)),
        returns=tuple((np.diff(y)[::-1][:p] - mean).tolist()),
        errors=tuple(np.asarray(best["residuals"], dtype=np.float64)[::-1][:q].tolist()),
        last=float(y[-1]),
    )


def _load(name: str) -> ModuleType:
    with absent("numba"):
        try:
            return submodule(f"statsforecast.{name}")
        except ModuleNotFoundError as error:
            raise JobError(str(error), where="trainer-cpu", hint="install the service with its dependencies") from error
