"""What a learning algorithm must offer to be walked forward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from cbi_common.core.errors import DataError
from cbi_common.core.horizon import Horizon
from cbi_common.timeseries.dataset import Dataset, Floats

ModelT = TypeVar("ModelT")
SettingsT = TypeVar("SettingsT", bound=BaseModel)


class Learner(Protocol[ModelT]):
    """Data, parameters and a seed in, a model as bytes out; a model and what is known at a cutoff in, a forecast out.

    Every forecast is made by a model that was loaded from its bytes, so it cannot matter whether the bytes were cached.
    """

    @property
    def name(self) -> str:
        """Name under which the catalogue knows the algorithm."""

    def fit(
        self, train: Dataset, horizons: Sequence[Horizon], params: Mapping[str, Any], weights: Floats, seed: int
    ) -> bytes:
        """Fit and return the model in its native serialisation (never pickle).

        Parameters
        ----------
        train : Dataset
            The rows known at the refit; labels come from ``train.targets``, so none reaches beyond it.
        horizons : sequence of Horizon
            What to predict, in the order of the forecasts.
        params : mapping
            Settings of the catalogue.
        weights : (n,) float64
            Weight of each training row, mean 1. A row that weighs nothing is only there as the past of others: no
            outcome of it is learned.
        seed : int
            The only source of randomness.

        Raises
        ------
        DataError
            When the rows cannot carry a fit.
        JobError
            When the fit did not converge.
        """

    def load(self, artifact: bytes) -> ModelT:
        """Return the model that ``fit`` serialised."""

    def forecast(self, model: ModelT, view: Dataset) -> Floats:
        """Return the log return over each horizon, (n_horizons,), from the last row of ``view``.

        A volatility model returns its standard deviation.

        ``view`` holds the rows known at the cutoff, the refit's included. The result depends on nothing else.
        """


def labelled(train: Dataset, horizon: Horizon, weights: Floats, least: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the targets of ``train``, (n,) with NaN where there is none, and which rows have one and a weight.

    Raises
    ------
    DataError
        When these are fewer than ``least``, or all of them say no change.
    """
    targets = train.targets(horizon)
    known = np.isfinite(targets) & (weights > 0)
    if (n := int(known.sum())) < least:
        raise DataError(
            f"only {n} rows have an outcome at {horizon}", hint=f"{least} are needed: give a longer history"
        )
    if not targets[known].any():
        raise DataError(f"the price does not move over {horizon}", hint="check the canonical price")
    return targets, known


def validated(kind: type[SettingsT], params: Mapping[str, Any], learner: str) -> SettingsT:
    """Return the settings of the catalogue.

    Raises
    ------
    DataError
        Naming the setting that is out of its range.
    """
    try:
        return kind.model_validate(params)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "params"
        raise DataError(f"{place}: {first['msg']}", where=learner, hint="correct the catalogue") from None
