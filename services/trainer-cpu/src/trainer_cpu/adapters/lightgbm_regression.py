"""LightGBM as a model of the return over one horizon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from cbi_common.core.errors import DataError, JobError
from cbi_common.core.horizon import Horizon
from cbi_common.timeseries.dataset import Dataset, Floats
from cbi_common.training.lean_import import absent
from cbi_common.training.learner import labelled, validated

LEAST_ROWS = 200


class Params(BaseModel):
    """Settings in the catalogue, by LightGBM's own names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    num_trees: int = Field(ge=1)
    num_leaves: int = Field(ge=2)
    learning_rate: float = Field(gt=0)
    min_data_in_leaf: int = Field(ge=1)
    feature_fraction: float = Field(gt=0, le=1)
    bagging_fraction: float = Field(gt=0, le=1)
    bagging_freq: int = Field(ge=0)
    lambda_l2: float = Field(ge=0)
    max_bin: int = Field(ge=2)
    objective: str = "regression"
    boost_from_average: bool = True
    """False: what no tree has anything to say about is no change."""
    boosting: Literal["gbdt", "dart"] = "gbdt"
    drop_rate: float = Field(default=0.1, gt=0, lt=1)
    skip_drop: float = Field(default=0.5, ge=0, lt=1)
    """Of DART, which has no early stopping: a dropped tree may come back, so no round is ever the last good one."""
    signs: dict[str, int] = {}
    """Column to the sign that its effect must have; a column that is not there is constrained in nothing."""

    @model_validator(mode="after")
    def _smooth_where_signed(self) -> Params:
        if self.signs and self.objective == "regression_l1":
            raise ValueError("signs need an objective with a second derivative: huber or regression")
        return self


@dataclass(frozen=True)
class LightGbm:
    """Learner of one horizon; its artifact is LightGBM's own text, which holds the names of the columns."""

    name: str = "lightgbm"

    def fit(
        self, train: Dataset, horizons: Sequence[Horizon], params: Mapping[str, Any], weights: Floats, seed: int
    ) -> bytes:
        """Fit on the rows whose outcome is known (see `cbi_common.training.learner.Learner`); a NaN stays a NaN."""
        if len(horizons) != 1:
            raise JobError("one model predicts one horizon", where=self.name, hint="set joint = false in the catalogue")
        targets, rows = labelled(train, horizons[0], weights, LEAST_ROWS)
        if not np.isfinite(train.features[rows]).any():
            raise DataError("no feature is left", where=self.name, hint="see `cbi quality`")
        chosen = validated(Params, params, self.name).model_dump()
        signs = chosen.pop("signs")
        settings = chosen | {
            "monotone_constraints": [signs.get(name, 0) for name in train.names] if signs else None,
            "seed": seed,
            "deterministic": True,
            "force_col_wise": True,
            "num_threads": 1,
            "verbosity": -1,
        }
        lightgbm = load_library()
        data = lightgbm.Dataset(
            train.features[rows],
            targets[rows],
            weight=weights[rows],
            feature_name=list(train.names),
            params={key: value for key, value in settings.items() if key != "num_trees"},
        )
        booster = lightgbm.train(settings, data)
        return str(booster.model_to_string()).encode()

    def load(self, artifact: bytes) -> Any:
        """Return the booster that ``fit`` serialised."""
        return load_library().Booster(model_str=artifact.decode())

    def forecast(self, model: Any, view: Dataset) -> Floats:
        """Return the log return over the horizon, (1,)."""
        return np.asarray(model.predict(view.features[-1:], num_threads=1), dtype=np.float64)


def load_library() -> ModuleType:
    """Return LightGBM, loaded without what is not used here."""
    with absent("sklearn", "pandas", "matplotlib"):
        import lightgbm

    return lightgbm  # type: ignore[no-any-return]
