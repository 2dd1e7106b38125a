"""What a model said and what happened, in the units of a plot, beside its yardstick on the same rows."""

from __future__ import annotations

import numpy as np

from cbi_common.catalogue.spec import ModelSpec
from cbi_common.events.manifest import RunManifest
from cbi_common.markets.spec import Market
from cbi_common.timeseries.calendar import session_date
from cbi_common.timeseries.dataset import Dataset, Floats
from cbi_common.timeseries.volatility import ewma_variance, forecast_sd
from cbi_common.training.plots import Record
from cbi_common.training.predictions import Predictions

_DAILY = "% a day"


def record_of(
    predictions: Predictions, spec: ModelSpec, manifest: RunManifest, market: Market, dataset: Dataset
) -> Record | None:
    """Return the rows that the model's scores count; None when no outcome among them is known.

    Parameters
    ----------
    predictions : Predictions
        As stored.
    spec : ModelSpec
        A model of returns is drawn as prices beside no change, one of volatility as daily volatility beside EWMA 0.97.
    manifest, market : of the pass
    dataset : Dataset
        What the model was fitted on: the yardstick of a volatility model comes from its prices.
    """
    window = manifest.windows[predictions.horizon]
    rows = predictions.matured(window.start, window.end)
    if not len(rows.sessions):
        return None
    if spec.quantity == "return":
        unit, name = market.unit, "no change"
        forecast, actual = rows.price * np.exp(rows.y_hat), rows.price * np.exp(rows.y)
        yardstick = rows.price
    else:
        unit, name, daily = _DAILY, "EWMA 0.97", 100 / np.sqrt(rows.horizon.sessions)
        forecast, actual = daily * rows.y_hat, daily * rows.y
        yardstick = daily * _ewma(rows, dataset)
    days = [session_date(int(session)) for session in rows.target_sessions]
    return Record(
        title=f"{title_of(spec.id, manifest, market)} at {predictions.horizon}",
        horizon=str(predictions.horizon),
        unit=unit,
        yardstick_name=name,
        dates=np.array(days, dtype="datetime64[D]"),
        forecast=forecast,
        yardstick=yardstick,
        actual=actual,
    )


def title_of(model_id: str, manifest: RunManifest, market: Market) -> str:
    """Return the heading of a model's plots; what comes of simulated data says so."""
    return f"{'SIMULATED · ' if manifest.simulated else ''}{market.name} · as of {manifest.as_of} · {model_id}"


def _ewma(rows: Predictions, dataset: Dataset) -> Floats:
    variance = ewma_variance(dataset.sessions, dataset.price)
    return forecast_sd(variance[np.searchsorted(dataset.sessions, rows.sessions)], rows.horizon.sessions)
