"""What runs in a child process: one model through its walk-forward."""

from __future__ import annotations

from typing import Any

from cbi_common.training import job
from cbi_common.training.learner import Learner
from cbi_common.training.resident_memory import LIMIT_MB, resident_limit
from trainer_cpu.adapters.arch_garch import fit_garch, fit_gjr
from trainer_cpu.adapters.lightgbm_regression import LightGbm, load_library
from trainer_cpu.adapters.prophet_curve import ProphetCurve
from trainer_cpu.adapters.statsforecast_fits import fit_arma, fit_ets, fit_theta
from trainer_cpu.adapters.xgboost_dart import XgboostDart
from trainer_cpu.domain.arma import Arma
from trainer_cpu.domain.har import HarLog
from trainer_cpu.domain.naive import Drift, drift, no_change
from trainer_cpu.domain.recursive import Recursive
from trainer_cpu.domain.ridge import Ridge
from trainer_cpu.domain.smoothing import Smoothing
from trainer_cpu.domain.theta import Theta
from trainer_cpu.domain.variance import Garch, ewma
from trainer_cpu.environment import ENVIRONMENT

MEMORY_LIMIT_MB = LIMIT_MB

LEARNERS: tuple[Learner[Any], ...] = (
    Recursive("no_change", Drift, no_change, of_changes=False),
    Recursive("drift", Drift, drift, of_changes=False),
    Recursive("ets", Smoothing, fit_ets),
    Recursive("theta", Theta, fit_theta),
    Recursive("auto_arima", Arma, fit_arma),
    Recursive("ewma", Garch, ewma),
    Recursive("garch", Garch, fit_garch),
    Recursive("gjr_garch", Garch, fit_gjr),
    HarLog(),
    ProphetCurve(),
    Ridge(),
    LightGbm(),
    XgboostDart(),
)


def warm() -> None:
    """Load what most jobs need and what is the same for all of them."""
    load_library()


def train(arg: dict[str, Any]) -> dict[str, Any]:
    """Train one job (see `cbi_common.training.job.train`).

    Returns
    -------
    dict
        ``models``: data of the `ModelTrained` events; ``warnings``: none on a CPU.
    """
    with resident_limit("trainer-cpu", "give it fewer columns or a shorter history", limit_mb=MEMORY_LIMIT_MB):
        models = job.train(arg, LEARNERS, ENVIRONMENT)
    return {"models": [m.model_dump(mode="json") for m in models], "warnings": []}
