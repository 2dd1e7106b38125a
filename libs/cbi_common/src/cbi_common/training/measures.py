"""What a model's predictions are worth, beside no-change: the metrics that `model.trained` tells."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from cbi_common.catalogue.spec import Quantity
from cbi_common.events.manifest import RunManifest
from cbi_common.events.training import Metrics
from cbi_common.timeseries.dataset import Dataset
from cbi_common.timeseries.losses import naive_mae
from cbi_common.timeseries.scoring import score, volatility_score
from cbi_common.timeseries.volatility import ewma_variance, forecast_sd
from cbi_common.training.predictions import Predictions


def measure(dataset: Dataset, predictions: Predictions, manifest: RunManifest, quantity: Quantity) -> Metrics:
    """Return what ``predictions`` are worth on the cutoffs of the run's window.

    Parameters
    ----------
    dataset : what the model learnt from: prices, and the errors of no-change before the window
    predictions : of one model at one horizon
    manifest : window and distance of the cutoffs
    quantity : what is predicted: the log return, or the standard deviation of the horizon's daily returns
    """
    window = manifest.windows[predictions.horizon]
    scored = (predictions.sessions >= window.start) & (predictions.sessions <= window.end)
    if quantity == "volatility":
        return _measure_volatility(dataset, predictions, scored, manifest.cutoff_every)
    # A dataset that begins inside the window has no rows before it: the scale of MASE comes from before its own first.
    first = int(predictions.sessions[scored][0]) if scored.any() else window.start
    before = dataset.until(max(window.start, first))
    found = score(
        predictions.sessions[scored],
        predictions.target_sessions[scored],
        predictions.price[scored],
        predictions.y_hat[scored],
        predictions.y[scored],
        horizon_sessions=predictions.horizon.sessions,
        step=manifest.cutoff_every,
        naive_mae=naive_mae(before.sessions, before.price, predictions.horizon.sessions),
    )
    return Metrics(**asdict(found))


def _measure_volatility(
    dataset: Dataset, predictions: Predictions, scored: NDArray[np.bool_], cutoff_every: int
) -> Metrics:
    sessions, horizon = predictions.sessions[scored], predictions.horizon.sessions
    variance = ewma_variance(dataset.sessions, dataset.price)[np.searchsorted(dataset.sessions, sessions)]
    found = volatility_score(
        sessions,
        predictions.target_sessions[scored],
        predictions.y_hat[scored],
        predictions.y[scored],
        forecast_sd(variance, horizon),
        horizon_sessions=horizon,
        step=cutoff_every,
    )
    return Metrics(**asdict(found))
