"""A dense net for the volatility over each horizon, fitted by Keras."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cbi_common.core.errors import DataError
from cbi_common.core.horizon import Horizon
from cbi_common.timeseries.dataset import Dataset, Floats
from cbi_common.timeseries.nets.dense import Network
from cbi_common.timeseries.scaling import inputs_of
from cbi_common.timeseries.volatility import ewma_variance, realised_variance
from cbi_common.training.learner import validated
from trainer_metal.adapters.keras_dense import Dense, Params

LEAST_ROWS = 252


@dataclass(frozen=True)
class DenseVolatility(Dense):
    """Learner of how far the variance over each horizon will lie from what EWMA 0.97 expects, from the drivers.

    Its heads start at EWMA, so what the net has not learned it does not claim. It is a `Network` like any other: what
    makes its variances right on average lies in the biases of the heads.
    """

    name: str = "dense_volatility"

    def fit(
        self, train: Dataset, horizons: Sequence[Horizon], params: Mapping[str, Any], weights: Floats, seed: int
    ) -> bytes:
        """Fit on the rows whose volatility is known at any horizon (see `cbi_common.training.learner.Learner`)."""
        settings = validated(Params, params, self.name)
        inputs = inputs_of(train, weights > 0)
        if not inputs.names:
            raise DataError("no feature varies", where=self.name, hint="see `cbi quality`")
        logs = np.column_stack([_log_ratio(train, horizon) for horizon in horizons])
        counted = np.isfinite(logs) & (weights > 0)[:, None]
        if (n := int(counted.sum(axis=0).min())) < LEAST_ROWS:
            raise DataError(f"only {n} rows have a volatility", where=self.name, hint="give a longer history")
        logs = np.where(counted, logs, np.nan)
        scale = np.sqrt(np.nanmean(logs**2, axis=0))
        rows = counted.any(axis=1)
        x, y = inputs.of(train)[rows], (logs / scale)[rows]
        fitted = self._train(x, y, weights[rows], settings, seed)
        layers = tuple((kernel.astype(np.float64), bias.astype(np.float64)) for kernel, bias in fitted)
        raw = Network(tuple(horizons), inputs, scale, layers)
        said = np.array([raw.forward(row) for row in x])
        # The mean of exp(error) makes the variance right on average, whatever the errors' distribution (Duan, 1983).
        smear = np.log(np.nanmean(np.exp(y * scale - said), axis=0))
        kernel, bias = layers[-1]
        shifted = (*layers[:-1], (kernel, bias + smear / scale))
        return replace(raw, layers=shifted).to_bytes()

    def forecast(self, model: Network, view: Dataset) -> Floats:
        """Return the standard deviation of the log return over each horizon, (n_horizons,)."""
        variance = ewma_variance(view.sessions, view.price)[-1]
        steps = np.array([horizon.sessions for horizon in model.horizons])
        return np.asarray(np.sqrt(variance * steps * np.exp(super().forecast(model, view))), dtype=np.float64)


def _log_ratio(train: Dataset, horizon: Horizon) -> Floats:
    """Log of the realised variance over what EWMA expected, NaN where either is not known."""
    expected = horizon.sessions * ewma_variance(train.sessions, train.price)
    found = realised_variance(train.sessions, train.price, horizon.sessions) / expected
    return np.log(found, where=found > 0, out=np.full(len(found), np.nan))
