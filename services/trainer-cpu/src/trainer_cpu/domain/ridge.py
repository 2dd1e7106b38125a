"""Ridge regression of the return on the drivers: what a straight line makes of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from cbi_common.core.errors import DataError, JobError
from cbi_common.core.horizon import Horizon
from cbi_common.core.identity import canonical_json
from cbi_common.timeseries.dataset import Dataset, Floats
from cbi_common.timeseries.scaling import Inputs, inputs_of, target_scale
from cbi_common.training.learner import labelled, validated
from trainer_cpu.domain.penalty import STANDSTILL, Rows, choose, solve

LEAST_ROWS = 200


class Params(BaseModel):
    """Settings in the catalogue."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    penalties: tuple[float, ...] = Field(min_length=1)
    """Ascending; added to the mean square of each scaled input: 1 halves the coefficient of one that stands alone.

    One is taken as it is. Of several, and of no change at all, purged cross-validation chooses.
    """
    folds: int = Field(default=5, ge=3)


@dataclass(frozen=True)
class Line:
    """A fitted line.

    Attributes
    ----------
    inputs : Inputs
    coefficients : (size,) float64
        Log return per standard deviation of each input.
    penalty : float
        What it was fitted with; infinite where nothing was believed.
    """

    inputs: Inputs
    coefficients: Floats
    penalty: float


@dataclass(frozen=True)
class Ridge:
    """Learner of one horizon (Hoerl & Kennard, 1970), through the origin: drivers at their means say no change.

    Solved here: four lines of linear algebra against an import of two seconds in every job.
    """

    name: str = "ridge"

    def fit(
        self, train: Dataset, horizons: Sequence[Horizon], params: Mapping[str, Any], weights: Floats, seed: int
    ) -> bytes:
        """Fit on the rows whose outcome is known (see `cbi_common.training.learner.Learner`)."""
        del seed
        if len(horizons) != 1:
            raise JobError("one model predicts one horizon", where=self.name, hint="set joint = false in the catalogue")
        settings = validated(Params, params, self.name)
        targets, rows = labelled(train, horizons[0], weights, LEAST_ROWS)
        inputs = inputs_of(train, weights > 0)
        if not inputs.names:
            raise DataError("no feature is left", where=self.name, hint="see `cbi quality`")
        scale = target_scale(targets)
        known = Rows(inputs.of(train)[rows], targets[rows] / scale, weights[rows], train.sessions[rows])
        penalty = settings.penalties[0]
        if len(settings.penalties) > 1:
            penalty = choose(known, settings.penalties, horizon_sessions=horizons[0].sessions, folds=settings.folds)
        return canonical_json(
            {
                "names": list(inputs.names),
                "flagged": list(inputs.flagged),
                "centre": inputs.centre.tolist(),
                "scale": inputs.scale.tolist(),
                "coefficients": (scale * solve(known, penalty)).tolist(),
                "penalty": None if penalty == STANDSTILL else penalty,
            }
        )

    def load(self, artifact: bytes) -> Line:
        """Return the line that ``fit`` serialised."""
        raw = json.loads(artifact)
        inputs = Inputs(tuple(raw["names"]), np.array(raw["centre"]), np.array(raw["scale"]), tuple(raw["flagged"]))
        return Line(inputs, np.array(raw["coefficients"]), STANDSTILL if raw["penalty"] is None else raw["penalty"])

    def forecast(self, model: Line, view: Dataset) -> Floats:
        """Return the log return over the horizon, (1,)."""
        return np.asarray(model.inputs.of(view.last(1)) @ model.coefficients, dtype=np.float64)
