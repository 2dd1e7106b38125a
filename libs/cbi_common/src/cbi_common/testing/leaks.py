"""Leaks that people really make, to be planted in a fresh process: the poisoning proof must find every one.

Modules of services are named by strings because the library may not import a service.
"""

from __future__ import annotations

import importlib
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from cbi_common.timeseries import dataset as datasets
from cbi_common.timeseries.dataset import Dataset, Floats, Ints


def centred_feature() -> None:
    """Moving averages look half a window ahead."""
    standing: Any = importlib.import_module("ingest.domain.kinds.standing")

    def centred(x: Floats, window: int) -> Floats:
        return pd.Series(x).rolling(window, min_periods=window // 2, center=True).mean().to_numpy()

    standing.mean = centred


def labels_before_they_mature() -> None:
    """Training rows carry outcomes that lie after the refit: no purge, as a label centred on its row would have."""
    everything = _remember_all_rows()

    def unpurged(self: Dataset, horizon: Any) -> Floats:
        full = everything[0]
        labels = datasets.targets(full.sessions, full.price, horizon.sessions)
        return labels[np.searchsorted(full.sessions, self.sessions)]

    Dataset.targets = unpurged  # type: ignore[method-assign]


def scaler_on_all_rows() -> None:
    """The net's inputs are scaled by the mean and deviation of all rows, later ones included."""
    everything = _remember_all_rows()
    keras_dense: Any = importlib.import_module("trainer_metal.adapters.keras_dense")
    honest = keras_dense.inputs_of

    def leaky(train: Dataset, _: Any = None) -> Any:
        full = everything[0]
        return honest(full.without(set(full.names) - set(train.names)))

    keras_dense.inputs_of = leaky


def two_sided_regime() -> None:
    """The volatility behind the regime labels is taken over a window centred on the day."""
    labels: Any = importlib.import_module("cbi_common.timeseries.regimes")
    honest = labels.trailing_volatility

    def centred(sessions: Ints, price: Floats, length: int, least: int) -> Floats:
        shifted = honest(sessions, price, length, least)
        ahead = length // 2
        return np.concatenate([shifted[ahead:], np.full(ahead, np.nan)])

    labels.trailing_volatility = centred


def _remember_all_rows() -> list[Dataset]:
    """Make the trainers' loader leave the whole dataset where a careless author would find it."""
    job: Any = importlib.import_module("cbi_common.training.job")
    honest = job.load_dataset
    kept: list[Dataset] = []

    def remember(*arguments: Any) -> Dataset:
        found: Dataset = honest(*arguments)
        kept[:] = [replace(found)]
        return found

    job.load_dataset = remember
    return kept
