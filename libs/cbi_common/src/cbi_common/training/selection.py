"""Which columns a model sees, which rows it learns from, and how much each weighs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from cbi_common.catalogue.spec import ModelSpec
from cbi_common.core.errors import DataError
from cbi_common.core.horizon import Horizon
from cbi_common.markets.datasets import MARKET_DATASETS
from cbi_common.markets.spec import Market
from cbi_common.timeseries.calendar import session_number
from cbi_common.timeseries.dataset import Dataset, Floats, Ints
from cbi_common.timeseries.eras import era_of, era_weights
from cbi_common.timeseries.regimes import CLASSES, rule_labels


def visible(dataset: Dataset, spec: ModelSpec, market: Market, horizons: Sequence[Horizon]) -> Dataset:
    """Return the dataset with the features that a fit for ``horizons`` may see; of a table of the owner's, all.

    Raises
    ------
    DataError
        When the model sees the core features alone, and the market file names none.
    """
    if spec.dataset not in MARKET_DATASETS:
        return dataset
    seen = dataset.without(market.withheld_from(horizons))
    if not spec.core:
        return seen
    if not market.core:
        raise DataError(
            "the market file names no core features", where=spec.id, hint=f"add core = [...] to {market.id}"
        )
    return seen.without(market.beyond_core)


def weigher(spec: ModelSpec, market: Market) -> Callable[[Dataset], Floats]:
    """Return the function that weighs training rows: by era, and with 0 outside the model's eras and regime.

    Weights have mean 1 over the rows that have any. A row's regime depends on rows at or before it, its era's share on
    all rows known at the refit.

    Raises
    ------
    DataError
        From the function, when no row is left.
    """
    eras = market.eras
    wanted = [i for i, era in enumerate(eras) if era.name in spec.eras]

    def weigh(train: Dataset) -> Floats:
        weights = era_weights(train.dates, eras, spec.weights)
        if spec.eras:
            weights = np.where(np.isin(era_of(train.dates, eras), wanted), weights, 0.0)
        if spec.regime is not None:
            weights = np.where(regime_labels(train, market) == CLASSES.index(spec.regime), weights, 0.0)
        counted = weights > 0
        if not counted.any():
            raise DataError("no row to learn from", where=spec.id, hint="see the eras and regimes of the market file")
        return weights / float(weights[counted].mean())

    return weigh


def last_session(spec: ModelSpec, market: Market) -> int | None:
    """Return the last session that a model of some eras learns from; None for one of all rows."""
    ends = [era.end for era in market.eras if era.name in spec.eras]
    if not spec.eras or None in ends:
        return None
    return session_number(max(end for end in ends if end is not None))


def regime_labels(train: Dataset, market: Market) -> Ints:
    """Return the regime of each row as the rules called it on the day: places in `CLASSES`, negative unknown.

    The index of fear is the feature that is its level; without one volatility alone decides.
    """
    fear = next((f.name for f in market.features if f.kind == "level" and f.inputs == (market.regime.fear,)), None)
    told = train.features[:, train.names.index(fear)] if fear in train.names else np.full(len(train.sessions), np.nan)
    return rule_labels(train.sessions, train.price, told, market.regime)
