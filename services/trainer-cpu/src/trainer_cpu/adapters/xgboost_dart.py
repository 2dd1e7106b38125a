"""XGBoost's dropout trees as a model of the return over one horizon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from cbi_common.core.errors import DataError, JobError
from cbi_common.core.horizon import Horizon
from cbi_common.timeseries.dataset import Dataset, Floats
from cbi_common.timeseries.scaling import target_scale
from cbi_common.training.lean_import import absent
from cbi_common.training.learner import labelled, validated

LEAST_ROWS = 200


class Params(BaseModel):
    """Settings in the catalogue, by XGBoost's own names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rounds: int = Field(ge=1, le=1000)
    """DART has no early stopping: a dropped tree may come back, so no round is ever the last good one."""
    max_depth: int = Field(ge=1, le=8)
    eta: float = Field(gt=0, le=1)
    rate_drop: float = Field(gt=0, lt=1)
    skip_drop: float = Field(ge=0, lt=1)
    subsample: float = Field(gt=0, le=1)
    colsample_bytree: float = Field(gt=0, le=1)
    min_child_weight: float = Field(ge=0)
    reg_lambda: float = Field(ge=0)
    max_bin: int = Field(ge=2)
    signs: dict[str, int] = {}
    """Column to the sign that its effect must have; a column that is not there is constrained in nothing."""


@dataclass(frozen=True)
class XgboostDart:
    """Learner of one horizon (Rashmi & Gilad-Bachrach, 2015); its artifact is XGBoost's own UBJSON."""

    name: str = "xgboost_dart"

    def fit(
        self, train: Dataset, horizons: Sequence[Horizon], params: Mapping[str, Any], weights: Floats, seed: int
    ) -> bytes:
        """Fit on the rows whose outcome is known (see `cbi_common.training.learner.Learner`); a NaN stays a NaN.

        Targets are scaled to a standard deviation of one, so that the penalties mean the same at every horizon.
        """
        if len(horizons) != 1:
            raise JobError("one model predicts one horizon", where=self.name, hint="set joint = false in the catalogue")
        targets, rows = labelled(train, horizons[0], weights, LEAST_ROWS)
        if not np.isfinite(train.features[rows]).any():
            raise DataError("no feature is left", where=self.name, hint="see `cbi quality`")
        scale = target_scale(targets)
        settings = validated(Params, params, self.name).model_dump()
        rounds, signs = settings.pop("rounds"), settings.pop("signs")
        xgboost = _load()
        data = xgboost.DMatrix(
            train.features[rows],
            label=targets[rows] / scale,
            weight=weights[rows],
            feature_names=list(train.names),
            nthread=1,
        )
        fixed = {
            "booster": "dart",
            "objective": "reg:squarederror",
            # What no tree has anything to say about is no change.
            "base_score": 0.0,
            "tree_method": "hist",
            "nthread": 1,
            "seed": seed,
            "verbosity": 0,
            "monotone_constraints": "(" + ",".join(str(signs.get(name, 0)) for name in train.names) + ")",
        }
        booster = xgboost.train(settings | fixed, data, num_boost_round=rounds)
        booster.set_attr(scale=repr(scale))
        return bytes(booster.save_raw("ubj"))

    def load(self, artifact: bytes) -> Any:
        """Return the booster that ``fit`` serialised."""
        return _load().Booster({"nthread": 1}, model_file=bytearray(artifact))

    def forecast(self, model: Any, view: Dataset) -> Floats:
        """Return the log return over the horizon, (1,)."""
        row = _load().DMatrix(view.features[-1:], feature_names=list(view.names), nthread=1)
        return np.asarray(model.predict(row), dtype=np.float64) * float(model.attr("scale"))


def _load() -> ModuleType:
    with absent("sklearn", "pandas", "matplotlib"):
        import xgboost

    return xgboost
