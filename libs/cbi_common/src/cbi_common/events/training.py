"""Events of the training context, and the job that travels on the work queue."""

from __future__ import annotations

from typing import ClassVar, Literal

from cbi_common.core.horizon import Horizon
from cbi_common.events.base import Contract, EventData, LakeRef, MarketId

Device = Literal["cpu", "metal"]


class Metrics(Contract):
    """Walk-forward scores over the scored window; None where fewer than two cutoffs have matured.

    Errors are forecast minus actual, prices in the market's unit, everything else a fraction.
    """

    n: int
    n_effective: float
    mape: float | None
    r2: float | None
    mae: float | None
    mase: float | None
    skill: float | None
    """1 - MAE / MAE of no-change on the same rows; of a volatility model 1 - QLIKE / QLIKE of EWMA 0.97."""
    dm_p: float | None
    """One-sided Diebold-Mariano p-value against that yardstick (HLN); None below 10 effective windows."""
    directional_accuracy: float | None
    pinball_50: float | None
    no_change_mape: float | None
    no_change_mae: float | None
    r2_no_change: float | None = None
    """1 - squared errors / those of no-change on the same rows."""
    qlike: float | None = None
    """Of a volatility model: mean QLIKE of the variance over the horizon."""
    volatility_mae: float | None = None
    """Of a volatility model: mean absolute error of the daily volatility, in percentage points."""


class Job(Contract):
    """What one child process trains: one spec, one or several horizons."""

    model_id: str
    horizons: tuple[Horizon, ...]
    spec_sha256: str


class TrainingPlanned(EventData):
    """The jobs of a run on one device."""

    subject: ClassVar[str] = "training.planned"

    market: MarketId
    run_id: str
    device: Device
    jobs: tuple[Job, ...]


class TrainJobCpu(EventData):
    """A job on the CPU work queue."""

    subject: ClassVar[str] = "jobs.train.cpu"

    market: MarketId
    run_id: str
    manifest: LakeRef
    job: Job


class TrainJobMetal(TrainJobCpu):
    """A job on the accelerator's work queue."""

    subject: ClassVar[str] = "jobs.train.metal"


class ModelTrained(EventData):
    """A model has walked forward through its folds."""

    subject: ClassVar[str] = "model.trained"

    market: MarketId
    run_id: str
    model_id: str
    family: str
    horizon: Horizon
    device: Device
    dataset: str
    status: Literal["trained", "cached"]
    predictions: LakeRef
    """Table with one row per cutoff (training/predictions.py)."""
    artifact: LakeRef | None
    """Native model that serves the live cutoff; None for a model that keeps none."""
    folds: LakeRef | None = None
    """JSON: session of each refit that serves a cutoff to the claim check of the model fitted there."""
    n_cutoffs: int
    refits: int
    cached_folds: int
    fit_seconds: float
    """CPU seconds spent fitting in this pass; 0 when every fold came from the cache."""
    peak_mb: float | None
    metrics: Metrics
    study: LakeRef | None = None
    """JSON of a `cbi_common.training.study.Study`: parameters that were tried, scores on what was held out."""


class ModelFailed(EventData):
    """A model could not be trained; the rest of the run goes on without it."""

    subject: ClassVar[str] = "model.failed"

    market: MarketId
    run_id: str
    model_id: str
    family: str
    horizon: Horizon
    device: Device
    dataset: str
    error: str
